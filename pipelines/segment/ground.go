package segment

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
)

// Ground is what segments of a workspace rest on beside their definitions.
type Ground struct {
	// Lists are the lists of people that were sent, by name, with the instant since which what is said of them counts: a list that is replaced begins anew.
	Lists map[string]schema.Instant
	// Bases are the legal grounds on which special categories of personal data may be used, by category.
	Bases map[string]string
}

// The special categories of personal data (GDPR, article 9, paragraph 1), with what begins the names of traits that tell of them.
var categories = map[string][]string{
	"health":     {"health", "sante", "santé", "disability", "handicap", "diagnos", "maladie", "disease", "pregnan", "grossesse", "medical", "médical"},
	"religion":   {"religio", "belief", "croyance"},
	"origin":     {"ethnic", "ethnie", "race", "racial"},
	"politics":   {"politic", "politique"},
	"union":      {"union_member", "trade_union", "syndicat"},
	"sexLife":    {"sexual", "sexuel", "sex_life"},
	"biometrics": {"biometri"},
	"genetics":   {"genetic", "genetique", "génétique"},
}

// bases are the grounds of article 9, paragraph 2, by their letter.
var bases = []string{
	"explicitConsent", "employment", "vitalInterests", "legitimateActivities", "madePublic", "legalClaims", "publicInterest", "healthCare", "publicHealth", "research",
}

// ParseGround reads the sections lists and specialCategories of a configuration; either may be nil. What is wrong is a *schema.Refusal.
func ParseGround(lists, special json.RawMessage) (g Ground, err error) {
	var named map[string]struct {
		Title string `json:"title"`
		Since string `json:"since"`
	}
	if err := readStrictly(lists, &named); err != nil {
		return g, refuse("lists: "+unknownMember(err), "write lists: {partners: {title: …, since: 2026-02-28T09:30:00Z}}")
	}
	g.Lists, g.Bases = map[string]schema.Instant{}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if !isName(name) {
			return g, refuse(fmt.Sprintf("the list's name %q is no word of a-z, 0-9, - and _, of 1 to 64", clip(name)), "rename it, such as partners-2026")
		}
		if g.Lists[name] = 0; named[name].Since != "" {
			at, ok := TimeOf(named[name].Since)
			if !ok {
				return g, refuse(fmt.Sprintf("lists, %s: since %q is no time", name, clip(named[name].Since)), "write 2026-02-28T09:30:00Z")
			}
			g.Lists[name] = at
		}
	}
	var grounds map[string]struct {
		Basis string `json:"basis"`
		Note  string `json:"note"`
	}
	if err := readStrictly(special, &grounds); err != nil {
		return g, refuse("specialCategories: "+unknownMember(err), "write specialCategories: {health: {basis: explicitConsent, note: where it is recorded}}")
	}
	known := slices.Sorted(maps.Keys(categories))
	for _, name := range slices.Sorted(maps.Keys(grounds)) {
		basis := grounds[name].Basis
		if categories[name] == nil {
			return g, refuse(fmt.Sprintf("specialCategories: there is no category %q%s", clip(name), nearest(name, known)), "use one of "+strings.Join(known, ", "))
		}
		if !slices.Contains(bases, basis) {
			return g, refuse(fmt.Sprintf("specialCategories, %s: there is no legal basis %q%s", name, clip(basis), nearest(basis, bases)), "use one of "+strings.Join(bases, ", ")+" (GDPR, article 9, paragraph 2)")
		}
		if strings.TrimSpace(grounds[name].Note) == "" {
			return g, refuse("specialCategories, "+name+": a note is missing", "say where the basis is recorded, such as note: consent form 4, DPIA of March")
		}
		g.Bases[name] = basis
	}
	return g, nil
}

func readStrictly(text json.RawMessage, into any) error {
	if len(text) == 0 || string(text) == "null" {
		return nil
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// CategoryOf is the special category that the name of a trait or of a property tells of; "" is none.
func CategoryOf(name string) string {
	lower := strings.ToLower(name)
	parts := strings.FieldsFunc(lower, func(r rune) bool { return r == '.' || r == '_' || r == '-' || r == ' ' })
	for _, category := range slices.Sorted(maps.Keys(categories)) {
		for _, w := range categories[category] {
			if strings.HasPrefix(lower, w) || slices.ContainsFunc(parts, func(part string) bool { return strings.HasPrefix(part, w) }) {
				return category
			}
		}
	}
	return ""
}

// Rest checks that a segment rests on what there is: its lists, and a legal basis for each special category that it asks for. Its version tells of them, so a list that is
// replaced, or another basis, is another version.
func (s *Segment) Rest(on Ground) error {
	var err error
	var rests []string
	asks := func(name string) {
		category := CategoryOf(name)
		if category == "" || err != nil {
			return
		}
		if on.Bases[category] == "" {
			err = refuse(fmt.Sprintf("%s: %q tells of a special category of personal data (%s), and the workspace declares no legal basis for it", s.Name, clip(name), category),
				fmt.Sprintf("leave it out; or, where the law allows it, declare specialCategories: {%s: {basis: explicitConsent, note: …}} in the configuration", category))
			return
		}
		rests = append(rests, category+" "+on.Bases[category])
	}
	filter := func(f *Filter) {
		for _, field := range f.Where {
			if path, is := strings.CutPrefix(field.Name, "properties."); is {
				asks(path)
			}
		}
	}
	s.each(func(n *Node) {
		switch {
		case n.Trait != nil:
			asks(n.Trait.Name)
		case n.event() != nil:
			filter(&n.event().Filter)
			if path, is := strings.CutPrefix(n.event().By, "properties."); is {
				asks(path)
			}
		case n.Sequence != nil:
			filter(n.Sequence.First)
			filter(n.Sequence.Then)
		case n.List != nil:
			since, known := on.Lists[n.List.Name]
			if !known && err == nil {
				err = refuse(fmt.Sprintf("%s: there is no list %q%s", s.Name, n.List.Name, nearest(n.List.Name, slices.Sorted(maps.Keys(on.Lists)))), "declare it in the section lists of the configuration")
			}
			n.List.since = since
			rests = append(rests, fmt.Sprintf("list %s %d", n.List.Name, since))
		}
	})
	if err != nil {
		return err
	}
	if len(rests) > 0 {
		slices.Sort(rests)
		definition := sha256.Sum256(s.Source)
		sum := sha256.Sum256(fmt.Appendf(nil, "%x %q", definition, slices.Compact(rests)))
		s.Version = hex.EncodeToString(sum[:])
	}
	return nil
}
