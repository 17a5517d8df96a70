package persona

import "github.com/dossier-cdp/dossier/pipelines/identifier"

// Kinds is what this package must know of identifier kinds.
type Kinds interface {
	// Name is the one name of a kind, whatever a source calls it.
	Name(kind string) string
	// Normalize gives the normal form of a value, or the reason why it identifies nobody. It is a pure function.
	Normalize(kind, value, country string) (normal string, refusal error)
	// ContactPoint says whether a person can be reached by values of the kind.
	ContactPoint(kind string) bool
	// Evidence says whether equal values of the kind say something about who it is.
	Evidence(kind string) bool
}

// Registry is the Kinds of package identifier. It may be used from any goroutine.
type Registry struct{}

// Name looks the kind up.
func (Registry) Name(kind string) string { return identifier.Of(kind).Name }

// Normalize is identifier.Normalize.
func (Registry) Normalize(kind, value, country string) (string, error) {
	return identifier.Normalize(kind, value, country)
}

// ContactPoint looks the kind up.
func (Registry) ContactPoint(kind string) bool { return identifier.Of(kind).ContactPoint }

// Evidence looks the kind up.
func (Registry) Evidence(kind string) bool { return identifier.Of(kind).Evidence }
