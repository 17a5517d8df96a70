package resolution

import (
	"context"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/identity/accuracy"
	"github.com/dossier-cdp/dossier/pipelines/identity/match"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/importer"
)

// Quality is how well who is who fits the labels of a file.
type Quality struct {
	accuracy.Score
	Batch        Batch        `json:"batch"`
	Completeness Completeness `json:"completeness"`
	// Recipes is what each kind of blocking key brings, in the model's order.
	Recipes []match.RecipeWork `json:"recipes"`
	// Curve is the scores under thresholds that ask for more, and ZeroFalse the first of them without a false pair; nil if none was found.
	Curve     []Point `json:"curve"`
	ZeroFalse *Point  `json:"zeroFalse"`
	// Reliability is about the pairs of records whose cores were compared and that no value forbids, each core weighed as it stands alone.
	Reliability *accuracy.Reliability `json:"reliability"`
	Possible    []Outcome             `json:"possible"`
}

// Batch is the same records under the same rules and model, decided once, when all are there.
type Batch struct {
	accuracy.Score
	Seconds   float64 `json:"seconds"`
	Different int     `json:"differentRecords"` // in another profile than when decided one at a time
}

// Completeness tells what becomes of the true pairs of records before anything is weighed.
type Completeness struct {
	TruePairs int     `json:"truePairs"`
	OneCore   int     `json:"oneCore"`  // the exact strata joined them
	Compared  int     `json:"compared"` // they share a key that proposes
	Bounded   int     `json:"bounded"`  // they share only keys that too many cores share: what the bound lost
	Apart     int     `json:"apart"`    // they share no key
	Share     float64 `json:"share"`    // of one core or compared
}

// Point is the scores when Merge and Link ask for so many bits more.
type Point struct {
	Bits       float64 `json:"bits"`
	Precision  float64 `json:"precision"`
	Recall     float64 `json:"recall"`
	F1         float64 `json:"f1"`
	FalsePairs int     `json:"falsePairs"`
}

// Outcome is how many possible matches of a reason are one person: most of one profile's labelled records carry the label that most of the
// other's carry. Matches of which one side has no label are left out.
type Outcome struct {
	Reason  match.Reason `json:"reason"`
	Matches int          `json:"matches"`
	Right   int          `json:"right"`
}

// quality works out all of it. It reads the file once more, to decide in one go.
func (r *Resolution) quality(ctx context.Context, f File) (*Quality, error) {
	labels := make([]string, len(r.records))
	streamed := make([]identity.NodeID, len(r.records))
	for n := range r.records {
		labels[n], streamed[n] = r.records[n].label, r.Profile(n)
	}
	q := &Quality{Score: accuracy.Of(labels, streamed)}
	if err := r.batch(ctx, f, q, labels, streamed); err != nil {
		return nil, err
	}
	cores := r.labelsOfCores()
	r.completeness(q, cores)
	q.Recipes = r.people.Set().Recipes(func(a, b identity.NodeID) int {
		_, right := cores[a].same(cores[b])
		return right
	})
	r.reliability(q, cores)
	r.curve(q, labels)
	r.outcomes(q)
	return q, nil
}

func (r *Resolution) batch(ctx context.Context, f File, q *Quality, labels []string, streamed []identity.NodeID) error {
	rules, err := match.CoreRules(f.Rules)
	if err != nil {
		return err
	}
	began := time.Now()
	people := newPeople(rules, f.Model)
	err = importer.Events(ctx, f.Mapping, f.Path, func(_ *importer.Record, e *schema.Event) error {
		people.Add(e)
		return nil
	})
	if err != nil {
		return err
	}
	if err := people.Resolve(); err != nil {
		return err
	}
	ids := idsOf(people.Profiles())
	together := make([]identity.NodeID, len(r.records))
	for n := range r.records {
		together[n] = ids[r.records[n].persona]
		if together[n] != streamed[n] {
			q.Batch.Different++
		}
	}
	q.Batch.Score, q.Batch.Seconds = accuracy.Of(labels, together), time.Since(began).Seconds()
	return nil
}

// tally is how many records of a core, or of a profile, carry a label.
type tally map[string]int

// same counts the pairs of records of two cores, and how many are one person's.
func (t tally) same(u tally) (pairs, right int) {
	n, m := 0, 0
	for label, k := range t {
		n += k
		right += k * u[label]
	}
	for _, k := range u {
		m += k
	}
	return n * m, right
}

// most is the label that most records carry, the smallest of equals.
func (t tally) most() (label string) {
	for l, n := range t {
		if label == "" || n > t[label] || n == t[label] && l < label {
			label = l
		}
	}
	return label
}

func (r *Resolution) labelsOfCores() map[identity.NodeID]tally {
	out := map[identity.NodeID]tally{}
	for n := range r.records {
		if core, ok := r.people.Core(r.records[n].persona); ok && r.records[n].label != "" {
			if out[core] == nil {
				out[core] = tally{}
			}
			out[core][r.records[n].label]++
		}
	}
	return out
}

func (r *Resolution) completeness(q *Quality, cores map[identity.NodeID]tally) {
	c := &q.Completeness
	type part struct {
		core    identity.NodeID
		records int
	}
	people := map[string][]part{}
	for core, t := range cores {
		for label, n := range t {
			people[label] = append(people[label], part{core, n})
		}
	}
	set := r.people.Set()
	for _, parts := range people {
		for i := range parts {
			c.OneCore += accuracy.Pairs(parts[i].records)
			for j := range i {
				pairs := parts[i].records * parts[j].records
				switch set.Reach(parts[i].core, parts[j].core) {
				case match.ReachOpen:
					c.Compared += pairs
				case match.ReachClosed:
					c.Bounded += pairs
				default:
					c.Apart += pairs
				}
			}
		}
	}
	if c.TruePairs = c.OneCore + c.Compared + c.Bounded + c.Apart; c.TruePairs > 0 {
		c.Share = float64(c.OneCore+c.Compared) / float64(c.TruePairs)
	}
}

func (r *Resolution) reliability(q *Quality, cores map[identity.NodeID]tally) {
	table := accuracy.NewReliability()
	r.people.Set().Candidates(func(a, b identity.NodeID, weight match.Bits, forbidden bool) {
		if pairs, right := cores[a].same(cores[b]); pairs > 0 && !forbidden {
			table.Add(r.model.Probability(weight), pairs, right)
		}
	})
	q.Reliability = table.Close()
}

// steps is how many bits more the curve goes.
const steps = 24

func (r *Resolution) curve(q *Quality, labels []string) {
	profiles := make([]identity.NodeID, len(labels))
	for step := range steps + 1 {
		of := r.people.Set().At(match.Bits(step) * match.Bit)
		for n := range r.records {
			core, _ := r.people.Core(r.records[n].persona)
			profiles[n] = core
			if head, ok := of[core]; ok {
				profiles[n] = head
			}
		}
		s := accuracy.Of(labels, profiles)
		p := Point{float64(step), s.Precision, s.Recall, s.F1, s.SaidPairs - s.RightPairs}
		q.Curve = append(q.Curve, p)
		if p.FalsePairs == 0 {
			q.ZeroFalse = &p
			return
		}
	}
}

func (r *Resolution) outcomes(q *Quality) {
	profiles := map[identity.NodeID]tally{}
	for n := range r.records {
		if label := r.records[n].label; label != "" {
			id := r.Profile(n)
			if profiles[id] == nil {
				profiles[id] = tally{}
			}
			profiles[id][label]++
		}
	}
	counts := map[match.Reason]*Outcome{}
	for _, m := range r.possible() {
		a, b := profiles[m.A].most(), profiles[m.B].most()
		if a == "" || b == "" {
			continue
		}
		if counts[m.Reason] == nil {
			counts[m.Reason] = &Outcome{Reason: m.Reason}
		}
		counts[m.Reason].Matches++
		if a == b {
			counts[m.Reason].Right++
		}
	}
	for _, reason := range match.Reasons {
		if o := counts[reason]; o != nil {
			q.Possible = append(q.Possible, *o)
		}
	}
}
