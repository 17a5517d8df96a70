// Package access says who may do what: write keys, which send events, and tokens, which act for a named person or tool.
//
// It holds types only. Secrets never appear here: whoever implements Access compares hashes in constant time.
package access

import (
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

// The scopes of a token. A token may do what its scopes name and nothing else.
const (
	ScopeRead      = "read"      // read dossiers, personal values masked
	ScopeUnmask    = "unmask"    // see personal values
	ScopeDecide    = "decide"    // link, separate and release personas
	ScopeCare      = "care"      // act as an agent: answer, resolve, grant
	ScopeMarketing = "marketing" // write segments and campaigns
	ScopePrivacy   = "privacy"   // erase, export a person's file
	ScopeAdmin     = "admin"     // configuration, keys, tokens
)

// Scopes lists every scope.
func Scopes() []string {
	return []string{ScopeRead, ScopeUnmask, ScopeDecide, ScopeCare, ScopeMarketing, ScopePrivacy, ScopeAdmin}
}

// WriteKey is what a source sends events with. A client key is public, a server key is secret.
type WriteKey struct {
	ID        string
	Workspace string
	Source    string // the source that it writes as, unless a server key's event names another
	Trust     schema.Trust
	Label     string
}

// Token is what a person or a tool acts with through the API.
type Token struct {
	ID        string
	Name      string
	Actor     string // who is held responsible for what is done with it
	Workspace string
	Scopes    []string
	MaxCost   int // of one GraphQL operation; 0: the installation's limit
}

// Has says whether the token carries a scope.
func (t Token) Has(scope string) bool { return slices.Contains(t.Scopes, scope) }

// Access resolves secrets. False means unknown or revoked, without saying which. Both methods are safe for concurrent use and
// cheap enough to be called for every request.
type Access interface {
	WriteKey(secret string) (WriteKey, bool)
	Token(secret string) (Token, bool)
}
