package reputation

import (
	"cmp"
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

// Polarity is how a mention speaks of the brand.
type Polarity uint8

// The polarities. Unjudged is the zero value: nobody said, or the classifier abstained.
const (
	Unjudged Polarity = iota
	Favourable
	Neutral
	Unfavourable
)

var polarityNames = [...]string{"unjudged", "favourable", "neutral", "unfavourable"}

func (p Polarity) String() string { return polarityNames[p] }

// Mention is one public utterance about one brand.
type Mention struct {
	Platform string         // such as twitter
	ID       string         // the platform's own id: the entity that counts
	Version  schema.EventID // of the event
	At       schema.Instant // OccurredAt of this version
	Brand    string
	Author   string // an account of the platform; "" if not known
	Polarity Polarity
	Repost   bool // repeats another mention without words of its own
	Own      bool // by the brand's own account
	Parent   string
	Audience Audience
}

// Latest gives each mention once, by the latest version (At, then Version), sorted by platform, id. The time that counts is that of the first version: a
// mention that is judged later was not published later.
func Latest(mentions []Mention) []Mention {
	out := slices.Clone(mentions)
	slices.SortFunc(out, func(a, b Mention) int {
		return cmp.Or(cmp.Compare(a.Platform, b.Platform), cmp.Compare(a.ID, b.ID), cmp.Compare(a.At, b.At), a.Version.Compare(b.Version))
	})
	kept := out[:0]
	for _, m := range out {
		if n := len(kept); n > 0 && kept[n-1].Platform == m.Platform && kept[n-1].ID == m.ID {
			m.At = kept[n-1].At
			kept[n-1] = m
			continue
		}
		kept = append(kept, m)
	}
	return kept
}

// Tally counts mentions by polarity.
type Tally struct{ Favourable, Neutral, Unfavourable, Unjudged int64 }

// Add counts one mention.
func (t *Tally) Add(p Polarity) {
	switch p {
	case Favourable:
		t.Favourable++
	case Neutral:
		t.Neutral++
	case Unfavourable:
		t.Unfavourable++
	default:
		t.Unjudged++
	}
}

// Join adds the counts of another tally.
func (t *Tally) Join(other Tally) {
	t.Favourable, t.Neutral = t.Favourable+other.Favourable, t.Neutral+other.Neutral
	t.Unfavourable, t.Unjudged = t.Unfavourable+other.Unfavourable, t.Unjudged+other.Unjudged
}

// Judged is how many have a polarity.
func (t Tally) Judged() int64 { return t.Favourable + t.Neutral + t.Unfavourable }

// All is how many there are.
func (t Tally) All() int64 { return t.Judged() + t.Unjudged }

// Cell is a brand's mentions of one UTC day on one platform.
type Cell struct {
	Platform, Brand string
	Day             string // 2026-03-01
}

// ByDay counts mentions that are there once (Latest) by platform, brand and day. What a brand says of itself is left out.
func ByDay(mentions []Mention) map[Cell]Tally {
	out := map[Cell]Tally{}
	for _, m := range mentions {
		if m.Own {
			continue
		}
		cell := Cell{m.Platform, m.Brand, m.At.String()[:len("2026-03-01")]}
		t := out[cell]
		t.Add(m.Polarity)
		out[cell] = t
	}
	return out
}
