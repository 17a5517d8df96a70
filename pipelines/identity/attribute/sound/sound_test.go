package sound_test

import (
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/script"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/sound"
)

// Words of one group get one key, and the first words of two groups get two.
func TestKeys(t *testing.T) {
	for _, c := range []struct {
		name   string
		key    func(string) string
		groups [][]string
	}{
		{"french", sound.French, [][]string{
			{"beaulac", "bolac", "bolack"}, {"philippe", "filipe"}, {"mathieu", "matthieu"}, {"christophe", "cristofe"}, {"henri", "henry"}, {"stephane", "stefane"}, {"catherine", "katherine"}, {"guillaume", "guilaume"}, {"martin", "martain"},
			{"durand", "durant"}, {"jean"}, {"paul"}, {"marie"}, {"marc"}, {"luc"}, {"lucie"}, {"masson"}, {"mason"},
		}},
		{"french skeleton", sound.FrenchSkeleton, [][]string{{"bernard", "brnard", "bernart"}, {"jean"}, {"paul", "paule"}, {"girard", "jirar"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			firsts := map[string]string{}
			for _, g := range c.groups {
				key := c.key(g[0])
				if other, ok := firsts[key]; ok {
					t.Errorf("%s and %s are both %q", other, g[0], key)
				}
				firsts[key] = g[0]
				for _, w := range g[1:] {
					if c.key(w) != key {
						t.Errorf("%s is %q, %s is %q", g[0], key, w, c.key(w))
					}
				}
			}
		})
	}
}

// FuzzKeys: keys are short, of letters and digits, and blanks count for nothing.
func FuzzKeys(f *testing.F) {
	for _, s := range []string{"beaulac", "tsch tsch", "gh", "Knight", strings.Repeat("ain", 10_000), "李 x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = script.Fold(s)
		for name, key := range map[string]func(string) string{"french": sound.French, "skeleton": sound.FrenchSkeleton} {
			k := key(s)
			if len(k) > sound.Longest || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz ") == "" && strings.Trim(k, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123459") != "" {
				t.Fatalf("%s: %q is %q", name, s, k)
			}
			if len(s) < 100 && key(strings.ReplaceAll(s, " ", "")) != k {
				t.Fatalf("%s: %q without blanks is another word", name, s)
			}
		}
	})
}

func BenchmarkKeys(b *testing.B) {
	for name, key := range map[string]func(string) string{"french": sound.French} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				key("vandenbroucke")
			}
		})
	}
}
