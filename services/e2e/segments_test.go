package e2e

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// happening is what a recount of segments reads of an exported interaction.
type happening struct {
	ID, Profile, Type, Source, Channel, Actor, Entity, Rating, Amount, Currency, OccurredAt string
	Properties                                                                              map[string]any
	at                                                                                      time.Time
}

func (c happening) before(d happening) bool {
	return c.at.Before(d.at) || c.at.Equal(d.at) && c.ID < d.ID
}

func (c happening) number(text string) float64 {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return -1
	}
	return x
}

// TestSegments: the templates' members are those of a recount, and what is decided reaches four destinations, with consent alone.
func TestSegments(t *testing.T) {
	besideOthers(t)
	company, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "audiences"))
	if err != nil {
		t.Fatal(err)
	}
	defer company.Close()
	i := prepare(t)
	i.dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(i.dir, "dossier.yaml"), []byte("clusters:\n  company:\n    brokers: ["+strings.Join(company.ListenAddrs(), ", ")+"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	i.up(t)
	i.deliver(t, workspace(t, counted(6000, 1<<30)), 500, 2)
	i.wait(t)
	i.destinations(t, company.ListenAddrs())
	i.segments(t)
}

// segments saves the templates and holds who is in them against a recount of the exports, which shares nothing with the product but the words of the templates.
func (i *installation) segments(t *testing.T) {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	people := map[string][]happening{}
	var now time.Time
	export(t, i, "timeline", func(c happening) {
		if c.at, err = time.Parse(time.RFC3339, c.OccurredAt); err != nil {
			t.Fatal(err)
		}
		if c.Source == "shop" && c.at.After(now) {
			now = c.at
		}
		people[c.Profile] = append(people[c.Profile], c)
	})
	now = now.Truncate(time.Second)
	births := map[string]string{}
	export(t, i, "profiles", func(p struct {
		ID           string
		GoldenRecord []struct {
			Name   string
			Winner struct{ Value any }
		}
	}) {
		for _, g := range p.GoldenRecord {
			if day, is := g.Winner.Value.(string); is && g.Name == "birth_date" && len(day) == 10 {
				births[p.ID] = day
			}
		}
	})
	since := func(days int) time.Time {
		y, m, d := now.In(zone).Date()
		return time.Date(y, m, d-days, 0, 0, 0, 0, zone)
	}
	// of gives somebody's events of a type until now, in order; of an order or a survey the latest version, at the time of the first.
	of := func(all []happening, kind string) (out []happening) {
		first := map[string]time.Time{}
		latest := map[string]happening{}
		for _, c := range all {
			if c.Type != kind || c.at.After(now) {
				continue
			}
			if c.Entity == "" || kind != "order.placed" && kind != "survey.answered" && kind != "order.delivered" {
				out = append(out, c)
				continue
			}
			k := c.Source + " " + c.Entity
			if at, known := first[k]; !known || c.at.Before(at) {
				first[k] = c.at
			}
			if known, is := latest[k]; !is || known.before(c) {
				latest[k] = c
			}
		}
		for k, c := range latest {
			c.at = first[k]
			out = append(out, c)
		}
		slices.SortFunc(out, func(a, b happening) int {
			if a.before(b) {
				return -1
			}
			return 1
		})
		return out
	}
	some := func(list []happening, is func(c happening) bool) bool { return slices.ContainsFunc(list, is) }
	nps := func(c happening) bool { return c.Properties["survey"] == "nps" && c.Rating != "" }
	later := func(days int) func(c happening) bool {
		return func(c happening) bool { return !c.at.Before(since(days)) }
	}

	// Worth: days of purchase until the snapshot's instant, in fifths.
	recency, frequency := map[string]int{}, map[string]int{}
	for id, all := range people {
		days := map[int64]bool{}
		for _, o := range of(all, "order.placed") {
			if o.at.Before(now) {
				days[o.at.Unix()/86_400] = true
			}
		}
		if len(days) > 0 {
			frequency[id] = len(days)
			recency[id] = int((now.Add(-time.Microsecond)).Unix()/86_400 - slices.Max(slices.Collect(maps.Keys(days))))
		}
	}
	class := func(values map[string]int, id string) int {
		sorted := slices.Sorted(maps.Values(values))
		class := 1
		for k := range 4 {
			if values[id] > sorted[((k+1)*len(sorted)+4)/5-1] {
				class++
			}
		}
		return class
	}

	want := map[string]func(id string, all []happening) bool{
		"detractors-not-answered": func(_ string, all []happening) bool {
			sent := of(all, "message.sent")
			return some(of(all, "survey.answered"), func(s happening) bool {
				return nps(s) && s.number(s.Rating) <= 6 && later(30)(s) && !some(sent, func(m happening) bool { return m.Actor == "agent" && s.before(m) })
			})
		},
		"complained-then-silent": func(_ string, all []happening) bool {
			opened := of(all, "case.opened")
			return len(opened) > 0 && !some(opened, later(60)) && !some(of(all, "message.received"), later(60)) && !some(of(all, "call.offered"), later(60)) && !some(of(all, "order.placed"), later(60))
		},
		"promoters-on-the-forum": func(_ string, all []happening) bool {
			answers := slices.DeleteFunc(of(all, "survey.answered"), func(c happening) bool { return !nps(c) })
			return len(answers) > 0 && answers[len(answers)-1].number(answers[len(answers)-1].Rating) >= 9 &&
				some(of(all, "message.received"), func(c happening) bool { return c.Channel == "forum" && later(180)(c) })
		},
		"champions-at-risk": func(id string, _ []happening) bool {
			return frequency[id] > 0 && 6-class(recency, id) <= 2 && class(frequency, id) >= 4
		},
		"three-on-one-theme": func(_ string, all []happening) bool {
			themes := map[string]int{}
			for _, c := range of(all, "case.opened") {
				if theme, is := c.Properties["theme"].(string); is && later(7)(c) {
					if themes[theme]++; themes[theme] >= 3 {
						return true
					}
				}
			}
			return false
		},
		"late-without-complaint": func(_ string, all []happening) bool {
			delivered := of(all, "order.delivered")
			return !some(of(all, "case.opened"), later(30)) && some(of(all, "order.placed"), func(o happening) bool {
				return (o.Channel == "web" || o.Channel == "app") && later(30)(o) && !o.at.Add(7*24*time.Hour).After(now) &&
					!some(delivered, func(d happening) bool {
						return d.Entity == o.Entity && o.Entity != "" && o.before(d) && !d.at.After(o.at.Add(7*24*time.Hour))
					})
			})
		},
		"birthdays-of-good-customers": func(id string, all []happening) bool {
			soon := false
			for d := range 8 {
				soon = soon || births[id] != "" && births[id][5:] == now.In(zone).AddDate(0, 0, d).Format("01-02")
			}
			sum, orders := 0.0, 0
			for _, o := range of(all, "order.placed") {
				if o.Currency == "EUR" && later(365)(o) {
					sum, orders = sum+o.number(o.Amount), orders+1
				}
			}
			return soon && orders > 0 && sum >= 300-1e-6
		},
	}
	folder, err := filepath.Abs("../../deploy/segments")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(files) != len(want) {
		t.Fatalf("%d templates, %d recounts: %v", len(files), len(want), err)
	}
	// A score by which nobody was measured yet is said to be none.
	if o := i.dossier(t, "segments", "preview", filepath.Join(folder, "champions-at-risk.yaml")); !strings.Contains(o.stderr, "dossier value snapshot") {
		t.Errorf("nothing says why nobody is in: %s %s", o.stdout, o.stderr)
	}
	i.must(t, "value", "snapshot", "--at", now.Format(time.RFC3339))
	i.must(t, append([]string{"segments", "save", "--reason", "test"}, files...)...)
	got := map[string][]string{}
	export(t, i, "segments --at "+now.Format(time.RFC3339), func(line struct{ Segment, Profile string }) {
		if line.Profile != "" {
			got[line.Segment] = append(got[line.Segment], line.Profile)
		}
	})
	somebody := 0
	for name, is := range want {
		var members []string
		for id, all := range people {
			if is(id, all) {
				members = append(members, id)
			}
		}
		slices.Sort(members)
		t.Logf("%s at %s: %d", name, now.Format(time.RFC3339), len(members))
		if len(members) > 0 {
			somebody++
		}
		if !slices.Equal(got[name], members) {
			missing := slices.DeleteFunc(slices.Clone(members), func(id string) bool { return slices.Contains(got[name], id) })
			t.Errorf("%s has %d, want %d; missing %s", name, len(got[name]), len(members), missing[:min(3, len(missing))])
		}
	}
	if somebody < 4 {
		t.Errorf("%d templates have members: the events say too little", somebody)
	}
	// What is decided as events come is what is counted, and everybody is explained.
	type counted struct {
		Name    string
		Count   int
		Members []string
	}
	var all []counted
	for _, name := range slices.Sorted(maps.Keys(want)) {
		var answer struct{ Segment counted }
		i.query(t, `query($n: String!) { segment(name: $n) { name count members(first: 1) } }`, map[string]any{"n": name}, &answer)
		all = append(all, answer.Segment)
	}
	for _, s := range all {
		if len(s.Members) == 0 {
			continue
		}
		out := i.must(t, "segments", "explain", s.Name, "profile:"+s.Members[0], "--json", "--language", "fr")
		var e struct{ Member bool }
		if err := json.Unmarshal([]byte(out), &e); err != nil || !e.Member {
			t.Errorf("%s: a member is explained as none: %s", s.Name, out)
		}
		// The stream decides soon after.
		for begun := time.Now(); ; time.Sleep(100 * time.Millisecond) {
			var was struct{ Segment struct{ Was bool } }
			i.query(t, `query($n: String!, $p: ID!, $at: Time!) { segment(name: $n) { was(profile: $p, at: $at) } }`, map[string]any{"n": s.Name, "p": s.Members[0], "at": time.Now().Add(time.Hour).Format(time.RFC3339)}, &was)
			if was.Segment.Was {
				break
			}
			if time.Since(begun) > patience {
				t.Errorf("%s: it was never decided that %s entered", s.Name, s.Members[0])
				break
			}
		}
	}
	if _, rest, _ := strings.Cut(i.must(t, "segments", "export", all[0].Name), "\n"); strings.Count(rest, "\n") != all[0].Count {
		t.Errorf("the export has %d lines, want %d", strings.Count(rest, "\n"), all[0].Count)
	}
}
