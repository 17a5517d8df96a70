package persona

import (
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/identifier"
)

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

// Memory remembers what other Kinds answered for recent values, which changes their speed only. It must not be used concurrently.
type Memory struct {
	Kinds
	seen  map[question]answer
	kinds map[string]kind
}

type kind struct {
	name     string
	evidence bool
}

type question struct{ kind, value, country string }

type answer struct {
	normal string
	err    error
}

// remembered bounds a Memory; a full one is emptied.
const remembered = 1 << 15

// NewMemory remembers the answers of kinds.
func NewMemory(kinds Kinds) *Memory {
	return &Memory{kinds, map[question]answer{}, map[string]kind{}}
}

// Normalize answers from memory, or asks and remembers.
func (m *Memory) Normalize(kind, value, country string) (string, error) {
	q := question{kind, value, country}
	a, found := m.seen[q]
	if !found {
		if len(m.seen) >= remembered {
			clear(m.seen)
		}
		q = question{strings.Clone(kind), strings.Clone(value), strings.Clone(country)} // before the question: the answer may be a part of it
		a.normal, a.err = m.Kinds.Normalize(q.kind, q.value, q.country)
		m.seen[q] = a
	}
	return a.normal, a.err
}

// Name answers from memory, or asks and remembers.
func (m *Memory) Name(of string) string { return m.kind(of).name }

// Evidence answers from memory, or asks and remembers.
func (m *Memory) Evidence(of string) bool { return m.kind(of).evidence }

func (m *Memory) kind(of string) kind {
	k, found := m.kinds[of]
	if !found {
		if len(m.kinds) >= remembered {
			clear(m.kinds)
		}
		of = strings.Clone(of)
		k = kind{m.Kinds.Name(of), m.Kinds.Evidence(of)}
		m.kinds[of] = k
	}
	return k
}
