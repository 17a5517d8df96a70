package native

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
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
	server := channeltest.Sender(schema.TrustServer, channel.NativeLimits())
	token := channeltest.Sender(schema.TrustServer, channel.NativeLimits())
	token.Token, token.May = true, func(scope string) bool { return scope == scopeDecide || scope == scopeCare }
	channeltest.Golden(t, os.DirFS("testdata"), rewriting(), func(item, _ canonical.Node, m *channel.Mapped) *schema.Refusal {
		s := server
		if kind, _ := item.Get("type").Str(); strings.HasPrefix(kind, "identity.") && kind != "identity.aliased" || kind == "household.joined" || strings.HasPrefix(kind, "verbatim.") {
			s = token
		}
		return Map(item, s, m)
	})
}

// TestEveryType: a server key or a token may send every built-in type, a client key those of a customer.
func TestEveryType(t *testing.T) {
	for _, kind := range schema.Types() {
		for _, trust := range []schema.Trust{schema.TrustClient, schema.TrustServer} {
			s := channeltest.Sender(trust, channel.NativeLimits())
			r := allowed(kind, s)
			decision := kind.Decides() || kind == schema.TypeVerbatimCorrected
			want := trust == schema.TrustServer && !decision || trust == schema.TrustClient && customers[kind]
			if (r == nil) != want {
				t.Errorf("%s with a %s key: %v", kind, trust, r)
			}
		}
	}
}
