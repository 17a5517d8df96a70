package mix

import (
	"hash/maphash"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/persona"
	"github.com/dossier-cdp/dossier/pipelines/sighting"
	"github.com/dossier-cdp/dossier/schema"
)

// Memory keeps in memory what the stored state of identity keeps: evidence, who is who, and what each persona's events say. It is what folding costs without a store.
type Memory struct {
	graph     *identity.Memory
	known     map[schema.PersonaEpoch]*known
	sightings *sighting.Reader
	heard     *sighting.Heard
}

type known struct {
	evidence *identity.Persona
	state    *persona.State
}

// NewMemory makes an empty memory under the default rules.
func NewMemory(hash identity.Hasher) *Memory {
	graph := identity.NewMemory(hash, identity.DefaultRules())
	heard := sighting.NewHeard(heardPersonas, maphash.MakeSeed())
	return &Memory{graph, map[schema.PersonaEpoch]*known{}, sighting.NewReader(graph.Reader()), heard}
}

// heardPersonas are the personas of which a Memory remembers what they say again and again.
const heardPersonas = 1 << 18

// Fold adds one event.
func (m *Memory) Fold(e *schema.Event, recordedAt schema.Instant) error {
	of := schema.PersonaEpoch{Persona: e.Persona, Epoch: e.Key.Epoch}
	k := m.known[of]
	if k != nil && sighting.May(e) {
		x, _ := m.heard.Again(e, recordedAt)
		if x == nil {
			if x = m.sightings.Read(e, recordedAt, k.evidence, k.state); x != nil {
				m.heard.Note(e, recordedAt, x, k.evidence)
			}
		}
		if x != nil {
			x.Join(k.evidence, k.state)
			k.state.FoldConsents(e, m.graph.Reader())
			return nil
		}
	}
	m.heard.Forget(of)
	m.graph.Add(e, recordedAt)
	if k == nil {
		id := m.graph.Reader().Node(of)
		evidence, err := m.graph.Persona(id)
		if err != nil || evidence == nil { // a decision says nothing of its persona
			return err
		}
		k = &known{evidence, persona.Begin(id, e)}
		m.known[of] = k
	}
	k.state.Fold(e, m.graph.Reader())
	m.sightings.Link(e, k.state)
	return nil
}

// Resolve decides who is who after what was folded.
func (m *Memory) Resolve() error { return m.graph.Resolve() }

// Personas is the number of personas.
func (m *Memory) Personas() int { return len(m.known) }
