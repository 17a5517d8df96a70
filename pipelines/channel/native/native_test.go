package native

import (
	"flag"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/channeltest"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestGolden(t *testing.T) {
	server := channeltest.Sender(schema.TrustServer, channel.NativeLimits())
	token := channeltest.Sender(schema.TrustServer, channel.NativeLimits())
	token.Token, token.May = true, func(scope string) bool { return scope == scopeDecide }
	channeltest.Golden(t, *update, func(item, _ canonical.Node, m *channel.Mapped) *schema.Refusal {
		s := server
		if kind, _ := item.Get("type").Str(); strings.HasPrefix(kind, "identity.") && kind != "identity.aliased" {
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
			decision := kind == schema.TypeIdentityLinked || kind == schema.TypeIdentitySeparated || kind == schema.TypeIdentityReleased
			want := trust == schema.TrustServer && !decision || trust == schema.TrustClient && customers[kind]
			if (r == nil) != want {
				t.Errorf("%s with a %s key: %v", kind, trust, r)
			}
		}
	}
}
