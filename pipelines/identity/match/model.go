package match

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/identifier"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute"
	"github.com/dossier-cdp/dossier/schema"
)

// Format is the version of the model file that this package reads and writes.
const Format = 1

// Model is everything that weighing needs beside the records: which fields are compared and how, how likely each level of agreement is
// for one person, for a household and for strangers, how common values are, what to block by, and where to decide. It is read-only
// once Prepare returned.
type Model struct {
	Format  int    `json:"format"`
	Name    string `json:"name"`
	About   string `json:"about,omitempty"`
	Records int    `json:"records"` // how many records it was estimated on
	// Prior is log2 of the odds that a random pair of records is one person, at Records records.
	Prior float64 `json:"prior"`
	// Household is log2 of the odds of one person against a member of the same household, before any evidence. Nil: no households.
	Household *float64 `json:"household,omitempty"`
	// Thresholds are log2 of posterior odds.
	Thresholds Thresholds `json:"thresholds"`
	Fields     []Field    `json:"fields"`
	// Blocking lists the keys that propose pairs: each is made of parts joined by +, see doc.go.
	Blocking []string `json:"blocking"`
	// BlockSize: a blocking key with more cores than this proposes nothing.
	BlockSize int `json:"blockSize"`
	// Calibration says how weights become probabilities; nil: as they state.
	Calibration *Calibration `json:"calibration,omitempty"`
	// Attributes say which traits of a workspace's own tell who somebody is, beside those that are known by their names: see Attributed.
	Attributes attribute.Map `json:"attributes,omitempty"`
	// Variants are pairs of given names that one person was seen to use, beside the known nicknames.
	Variants [][2]string `json:"variants,omitempty"`

	hash     string
	variants map[[2]string]bool
}

// Thresholds are the posterior odds, in bits, at which something is decided.
type Thresholds struct {
	Floor        float64 `json:"floor"`        // two cores are decided together
	Edge         float64 `json:"edge"`         // two cores are compared as parts of profiles
	Merge        float64 `json:"merge"`        // two profiles are one
	Link         float64 `json:"link"`         // a small profile joins the best, if no rival comes near
	Margin       float64 `json:"margin"`       // how far the best must be before a rival
	Possible     float64 `json:"possible"`     // a possible match is shown
	Generic      int     `json:"generic"`      // a near-unique value beside more distinct given names than this is no evidence
	GenericDates int     `json:"genericDates"` // the same of a birth date, for sets of the model's size
	Loose        int     `json:"loose"`        // the largest profile that joins another at Link
	Largest      int     `json:"largest"`      // no profile grows past this
	// Agreeing is how many fields beside the name must speak for one person, with a bit each, before two profiles are joined that share no
	// key: a rare name alone names homonyms.
	Agreeing int `json:"agreeing"`
	// Caution is bits that are taken from the prior, where a wrong join costs more than a missed one.
	Caution float64 `json:"caution,omitempty"`
}

// Calibration is how stated log2 odds become the odds that are observed: Slope times the bits, plus Offset (J. Platt, Probabilistic Outputs for Support Vector Machines,
// 1999). Fields depend on each other, so that sums of weights state more than they hold: slopes are below 1.
type Calibration struct {
	Slope  float64 `json:"slope"`
	Offset float64 `json:"offset"` // bits
}

// Probability is the chance that two are one person whose match weighs so much.
func (m *Model) Probability(weight Bits) float64 {
	bits := weight.Float()
	if c := m.Calibration; c != nil {
		bits = c.Slope*bits + c.Offset
	}
	return 1 / (1 + math.Exp2(-bits))
}

// Field is one compared field.
type Field struct {
	Name    string `json:"name"`
	Compare string `json:"compare"`
	// Given and Family are the levels of the two parts of a name.
	Given  *Part `json:"given,omitempty"`
	Family *Part `json:"family,omitempty"`
	Part
	// UnlessBoth names a field: where both sides have it, this one is not compared, since it repeats it.
	UnlessBoth string `json:"unlessBoth,omitempty"`
}

// Part is a set of ordered levels of agreement with the frequencies of values.
type Part struct {
	Levels      []Level        `json:"levels,omitempty"`
	Frequencies map[string]int `json:"frequencies,omitempty"` // per million of records that have the field
	// Rare is the frequency, per million, of a value that Frequencies does not list; 0: level exact has a fixed U.
	Rare float64 `json:"rare,omitempty"`
	// Estimated fields get new M and U by training; near-unique keys keep what was set.
	Fixed bool `json:"fixed,omitempty"`
}

// Level is one level of agreement: how likely it is within one person, within strangers and within a household.
type Level struct {
	Level     string  `json:"level"`
	M         float64 `json:"m"`
	U         float64 `json:"u,omitempty"`
	Household float64 `json:"household,omitempty"`
	// Forbids: values so far apart keep two profiles from being one, whatever else they share.
	Forbids bool `json:"forbids,omitempty"`
	// Alone is M where nothing that few people share agrees: two mailboxes say more against one person if no phone, card or birth date
	// speaks for one. 0: M.
	Alone float64 `json:"alone,omitempty"`
	// FixedU and FixedM: training keeps U and M.
	FixedU bool `json:"fixedU,omitempty"`
	FixedM bool `json:"fixedM,omitempty"`
}

func invalid(format string, args ...any) error {
	return schema.Refuse("model_invalid", fmt.Sprintf(format, args...), "make a new one with dossier train, or leave --model out")
}

// Parse reads a model file and prepares it. What it cannot use is a *schema.Refusal: an unknown version, an unknown level.
func Parse(text []byte) (*Model, error) {
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, invalid("the model is no JSON: %v", err)
	}
	if head.Format != Format {
		return nil, invalid("the model has format %d, this version reads %d", head.Format, Format)
	}
	m := &Model{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return nil, invalid("the model cannot be read: %v", err)
	}
	if err := m.Prepare(); err != nil {
		return nil, err
	}
	return m, nil
}

// Text writes the model in its canonical form, which its hash is made of.
func (m *Model) Text() ([]byte, error) {
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return nil, fmt.Errorf("write the model: %w", err)
	}
	return append(text, '\n'), nil
}

// Version is the content address of the model: the first 16 hex digits of the SHA-256 of its canonical text.
func (m *Model) Version() string { return m.hash }

// With is the model with other thresholds, which makes it another one.
func (m *Model) With(t Thresholds) (*Model, error) {
	out := m.clone()
	out.Thresholds = t
	if err := out.Prepare(); err != nil {
		return nil, err
	}
	return out, nil
}

// Weighs says whether values of an identifier kind are weighed: a field compares them, or what they are made of.
func (m *Model) Weighs(kind string) bool {
	has := func(field string) bool {
		return slices.ContainsFunc(m.Fields, func(f Field) bool { return f.Name == field })
	}
	switch kind {
	case identifier.NameAndBirth:
		return has("name") && has("birth")
	case "address":
		return has("address") || has("street") && (has("postcode") || has("commune"))
	}
	return has(kind)
}

// Prepare checks the model and makes it ready for use.
func (m *Model) Prepare() error {
	if m.Records < 1 || m.BlockSize < 2 || m.Thresholds.Largest < 2 || m.Thresholds.Loose < 1 || m.Thresholds.Generic < 2 || m.Thresholds.GenericDates < 2 {
		return invalid("the model lacks records, blockSize or thresholds")
	}
	for _, x := range []float64{m.Prior, m.Thresholds.Edge, m.Thresholds.Merge, m.Thresholds.Link, m.Thresholds.Margin, m.Thresholds.Possible} {
		if math.Abs(x) > 60 || math.IsNaN(x) {
			return invalid("the model has a prior or threshold of %v bits", x)
		}
	}
	if c := m.Calibration; c != nil && !(c.Slope > 0 && c.Slope <= 10 && math.Abs(c.Offset) <= 60) {
		return invalid("the model has a calibration of slope %v and offset %v", c.Slope, c.Offset)
	}
	seen := map[string]bool{}
	for i := range m.Fields {
		f := &m.Fields[i]
		if seen[f.Name] {
			return invalid("field %s stands twice", f.Name)
		}
		seen[f.Name] = true
		c, ok := comparisons[f.Compare]
		if !ok {
			return invalid("field %s is compared by %q, which is none of the comparisons", f.Name, f.Compare)
		}
		if f.Compare == "name" {
			if f.Given == nil || f.Family == nil {
				return invalid("field %s lacks the levels of given and family name", f.Name)
			}
			if err := f.Given.check(f.Name+".given", givenLevels); err != nil {
				return err
			}
			if err := f.Family.check(f.Name+".family", familyLevels); err != nil {
				return err
			}
			continue
		}
		if err := f.check(f.Name, c.levels); err != nil {
			return err
		}
	}
	for i := range m.Fields {
		if other := m.Fields[i].UnlessBoth; other != "" && !seen[other] {
			return invalid("field %s yields to %s, which is no field", m.Fields[i].Name, other)
		}
	}
	m.variants = make(map[[2]string]bool, 2*len(m.Variants))
	for _, v := range m.Variants {
		m.variants[v] = true
		m.variants[[2]string{v[1], v[0]}] = true
	}
	if len(m.Blocking) > mostRecipes {
		return invalid("the model has %d recipes of blocking keys, more than %d", len(m.Blocking), mostRecipes)
	}
	for _, key := range m.Blocking {
		if _, err := m.recipeOf(key); err != nil {
			return err
		}
	}
	if err := m.checkAttributes(); err != nil {
		return err
	}
	text, err := m.Text()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	m.hash = hex.EncodeToString(sum[:8])
	return nil
}

func (p *Part) check(field string, levels []string) error {
	if len(p.Levels) != len(levels) {
		return invalid("field %s has %d levels instead of %d", field, len(p.Levels), len(levels))
	}
	for i, l := range p.Levels {
		if l.Level != levels[i] {
			return invalid("level %d of field %s is %q instead of %q", i+1, field, l.Level, levels[i])
		}
		if !(l.M > 0 && l.M <= 1) || l.U < 0 || l.U > 1 || l.Household < 0 || l.Household > 1 || l.Alone < 0 || l.Alone > 1 {
			return invalid("level %s of field %s has a chance outside 0 to 1", l.Level, field)
		}
	}
	return nil
}

// weights are the levels of a part as comparisons use them.
type weights struct {
	m, u, household []Bits // log2
	alone           []Bits // what Alone takes away
	forbids         []bool
	frequency       map[string]Bits
	rare            Bits
	tf              bool
}

func (p *Part) weights() weights {
	w := weights{tf: p.Rare > 0}
	for _, l := range p.Levels {
		w.m = append(w.m, bitsOf(l.M))
		u := l.U
		if u == 0 {
			u = 1e-7
		}
		w.u = append(w.u, bitsOf(u))
		h := l.Household
		if h == 0 {
			h = u
		}
		w.household = append(w.household, bitsOf(h))
		w.forbids = append(w.forbids, l.Forbids)
		alone := Bits(0)
		if l.Alone > 0 {
			alone = bitsOf(l.Alone / l.M)
		}
		w.alone = append(w.alone, alone)
	}
	if w.tf {
		w.rare = bitsOf(p.Rare / 1e6)
		w.frequency = make(map[string]Bits, len(p.Frequencies))
		for v, f := range p.Frequencies {
			w.frequency[v] = bitsOf(max(float64(f), .01) / 1e6)
		}
	}
	return w
}

// of gives log2 of how common a value is.
func (w *weights) of(value string) Bits {
	if f, ok := w.frequency[value]; ok {
		return f
	}
	return w.rare
}

// verdict weighs a level: u is log2 of the chance among strangers, if it depends on the values; else the level's own.
func (w *weights) verdict(level int, u Bits, own bool) verdict {
	if own {
		u = w.u[level]
	}
	return verdict{
		weight:    clamp(w.m[level] - u),
		household: clamp(w.m[level] - max(u, w.household[level])),
		alone:     w.alone[level],
		level:     int8(level), second: -1,
		forbids: w.forbids[level],
	}
}

func clamp(b Bits) Bits { return max(min(b, limit), -limit) }

// verdict is what the comparison of two values says.
type verdict struct {
	weight    Bits // same person against stranger
	household Bits // same person against member of the household
	alone     Bits // to add to both where no key agrees
	level     int8
	second    int8 // the level of the family name; −1 for other fields
	forbids   bool
}
