package verbatim_test

import (
	"os"
	"sort"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/verbatim"
)

// challenge is one line of the challenge set and what a reader expects of it.
type challenge struct {
	family, text  string
	polarity, act string
	reason        string
	calm          bool
	language      verbatim.Language
	line          int
}

// challenges reads a half of the set: the first was written before the rules, the second after them and before they read it.
func challenges(t *testing.T, half string, lang verbatim.Language) []challenge {
	text, err := os.ReadFile("testdata/challenge_" + half + lang.String() + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []challenge
	var head challenge
	for n, line := range strings.Split(string(text), "\n") {
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			words := strings.Fields(strings.Trim(line, "[]"))
			head = challenge{family: words[0], language: lang}
			for _, w := range words[1:] {
				key, value, _ := strings.Cut(w, "=")
				switch key {
				case "polarity":
					head.polarity = value
				case "act":
					head.act = value
				case "reason":
					head.reason = value
				case "calm":
					head.calm = true
				default:
					t.Fatalf("line %d: %s is no expectation", n+1, w)
				}
			}
		default:
			c := head
			c.text, c.line = line, n+1
			out = append(out, c)
		}
	}
	return out
}

// floors are what each family must reach of its lines in French, and in English: a little below what was measured when the rules were written.
var floors = map[string]float64{
	"breakdown polarity": .90, "churn polarity": .90, "churn reason": .85, "contrast polarity": .65, "far_from polarity": .90, "innocent reason": .80,
	"irony polarity": .80, "legal polarity": .90, "legal reason": .90, "litotes polarity": .65, "no_delivery polarity": .80, "no_delivery act": .80,
	"praise polarity": .90, "publicity reason": .90, "question polarity": .85, "question act": .85, "repeat polarity": .90, "repeat reason": .85,
	"request polarity": .85, "request act": .75, "safety reason": .85, "thanks polarity": .60, "thanks act": .70, "vulnerability reason": .80,
}

// secondFloors are those of the second half: a little below what was measured when it was read for the first time. Rules of safety were widened since (French .57 then, English .37); no other
// rule was.
var secondFloors = map[string]float64{
	"breakdown polarity": .72, "churn polarity": .48, "churn reason": .28, "far_from polarity": .65, "irony polarity": .35, "legal polarity": .72, "legal reason": .62, "litotes polarity": .25,
	"no_delivery polarity": .65, "no_delivery act": .65, "question polarity": .88, "question act": .88, "repeat polarity": .75, "repeat reason": .55, "request polarity": .55, "request act": .35,
	"safety reason": .75,
}

func TestChallenge(t *testing.T) {
	a := verbatim.New(base(t), nil)
	challenged(t, a, "", floors)
	challenged(t, a, "second_", secondFloors)
}

// challenged holds a half of the challenge set in French and English against floors.
func challenged(t *testing.T, a *verbatim.Analyzer, half string, floors map[string]float64) {
	t.Helper()
	for _, lang := range []verbatim.Language{verbatim.French, verbatim.English} {
		type figure struct{ polarity, act, reason, n int }
		figures := map[string]*figure{}
		for _, c := range challenges(t, half, lang) {
			f := figures[c.family]
			if f == nil {
				f = &figure{}
				figures[c.family] = f
			}
			f.n++
			r := a.Read(c.text, lang)
			miss := ""
			if c.polarity == "" || c.polarity == r.Polarity.String() {
				f.polarity++
			} else {
				miss += " polarity " + r.Polarity.String()
			}
			if c.act == "" || c.act == r.Act.String() {
				f.act++
			} else {
				miss += " act " + r.Act.String()
			}
			has := false
			for _, reason := range r.Reasons {
				has = has || reason.Code == c.reason
			}
			if (c.reason == "" || has) && (!c.calm || len(r.Reasons) == 0) {
				f.reason++
			} else {
				miss += " reasons " + r.ReasonList()
			}
			if miss != "" && os.Getenv("DOSSIER_MISSES") != "" {
				t.Logf("%s%s %d %s:%s: %s", half, lang, c.line, c.family, miss, c.text)
			}
		}
		var names []string
		for name := range figures {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			f := figures[name]
			part := func(n int) float64 { return float64(n) / float64(f.n) }
			t.Logf("%s%s %-14s polarity %.2f act %.2f reason %.2f (n %d)", half, lang, name, part(f.polarity), part(f.act), part(f.reason), f.n)
			for what, got := range map[string]float64{"polarity": part(f.polarity), "act": part(f.act), "reason": part(f.reason)} {
				if floor := floors[name+" "+what]; got < floor {
					t.Errorf("%s%s %s: %s is %.2f, want %.2f", half, lang, name, what, got, floor)
				}
			}
		}
	}
}
