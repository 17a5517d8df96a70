package reputation

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/care/stat"
	"github.com/dossier-cdp/dossier/schema"
)

// Panel is the brands that are compared on one platform, and by which query their mentions were found. It is locked: figures of two panels are two series, since
// another brand or another query changes every share.
type Panel struct {
	Platform string
	Brands   []string
	Query    string
}

// Lock names the panel: the same brands, platform and query are the same lock, in any order.
func (p Panel) Lock() string {
	h := sha256.New()
	for _, s := range append([]string{p.Platform, p.Query}, p.brands()...) {
		h.Write([]byte(strings.ReplaceAll(s, "\x00", "")))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func (p Panel) brands() []string {
	out := slices.Clone(p.Brands)
	slices.Sort(out)
	return slices.Compact(out)
}

// Voice is one brand's share of what is said of the whole panel.
type Voice struct {
	Brand    string
	Mentions int64
	Panel    int64 // mentions of all brands of the panel
	Share    stat.Estimate
}

// ShareOfVoice counts the mentions of a panel in [from, until), one of each author's own words: reposts and brands' own accounts are left out, and counted as
// excluded. Mentions are there once (Latest). The answer has every brand of the panel, by name.
func ShareOfVoice(p Panel, mentions []Mention, from, until schema.Instant) (voices []Voice, excluded int64) {
	brands := p.brands()
	counts := make([]int64, len(brands))
	total := int64(0)
	for _, m := range mentions {
		at, listed := slices.BinarySearch(brands, m.Brand)
		if !listed || m.Platform != p.Platform || m.At < from || m.At >= until {
			continue
		}
		if m.Repost || m.Own {
			excluded++
			continue
		}
		counts[at]++
		total++
	}
	for i, brand := range brands {
		voices = append(voices, Voice{brand, counts[i], total, stat.Proportion(counts[i], total)})
	}
	return voices, excluded
}
