package segment

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/channeltest"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

var update = flag.Bool("update", false, "rewrite golden files")

// rewriting gives what rewrites a golden file, nil unless that was asked for.
func rewriting() func(file, text string) error {
	if !*update {
		return nil
	}
	return func(file, text string) error {
		return os.WriteFile(filepath.Join("testdata", file), []byte(text), 0o644)
	}
}

func TestGolden(t *testing.T) {
	s := channeltest.Sender(schema.TrustServer, channel.SegmentLimits())
	channeltest.Golden(t, os.DirFS("testdata"), rewriting(), func(item, context canonical.Node, m *channel.Mapped) *schema.Refusal {
		return Map(item, context, "", s, m)
	})
}

// TestPropertiesAreCanonical: whatever is put together, the result is the canonical form of itself.
func TestPropertiesAreCanonical(t *testing.T) {
	s := channeltest.Sender(schema.TrustServer, channel.SegmentLimits())
	for _, properties := range []string{`{}`, `{"a":1}`, `{" first":1,"#b":2,"a":3}`, `{"$":1,"$a":2,"$d":3,"$f":4,"z":5}`, `{"!":1}`, `null`} {
		for _, more := range []string{``, `,"context":{"ip":"1"}`, `,"plan":{"b":1,"a":2}`, `,"context":{},"zeta":1,"alpha":[2.0]`} {
			text := `{"type":"track","event":"e","userId":"u","properties":` + properties + more + `}`
			doc, err := canonical.Parse([]byte(text), canonical.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			var m channel.Mapped
			if r := Map(doc.Root(), canonical.Node{}, "", s, &m); r != nil {
				t.Fatal(r)
			}
			if len(m.Event.Properties) == 0 {
				continue
			}
			again, err := canonical.Parse(m.Event.Properties, canonical.Limits{})
			if err != nil {
				t.Fatalf("%s gives %s: %v", text, m.Event.Properties, err)
			}
			if canonicalForm := string(again.Root().AppendCanonical(nil, nil)); canonicalForm != string(m.Event.Properties) {
				t.Fatalf("%s gives %s, canonical is %s", text, m.Event.Properties, canonicalForm)
			}
		}
	}
}
