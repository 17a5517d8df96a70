package segments

import (
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/segment"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// What was drawn of hold-outs is recorded under the profile that a person was then, which is the id of one of the person's personas. So of whoever
// merged, the draws under all personas are there, and the earliest counts; and who is split again finds the own one.

func drawKey(id schema.ProfileID, name string) []byte { return key('a', id[:], []byte(name)) }

func appendDraw(at schema.Instant, held bool) []byte {
	b := sortable(at)
	if held {
		return append(b, 1)
	}
	return append(b, 0)
}

// drawn gives what was recorded of a person, by name.
func (s *Segments) drawn(p *graphql.Person) (out []segment.Drawn, err error) {
	at := map[string]schema.Instant{}
	for i := range p.Personas { // sorted by id: of one instant the first counts
		prefix := key('a', p.Personas[i].ID[:])
		err := s.Store.Scan(prefix, state.After(prefix), func(k, v []byte) error {
			if len(v) != 9 {
				return errDamaged
			}
			name, then := string(k[17:]), sorted(v[:8])
			before, known := at[name]
			if known && before <= then {
				return nil
			}
			at[name] = then
			out = slices.DeleteFunc(out, func(d segment.Drawn) bool { return d.Name == name })
			out = append(out, segment.Drawn{Name: name, Held: v[8] == 1})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b segment.Drawn) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// draw records the hold-outs that matter to a person for the first time.
func (w *weighing) draw(person *segment.Person) error {
	s := w.s
	for _, of := range s.live {
		for _, h := range s.holdOuts[of.Name] {
			if slices.ContainsFunc(person.Drawn, func(d segment.Drawn) bool { return d.Name == h.Name }) || !s.set.Exposed(of, person, w.now) {
				continue
			}
			held := h.Draw(person.ID)
			s.Sequence++
			err := w.tell(&Change{Kind: Drawn, Workspace: s.Workspace, Segment: h.Name, Held: &held, Definition: of.Version, Profile: person.ID.String(), At: w.now.String(),
				Cause: Cause{Kind: byRule.String(), At: w.now.String()}})
			if err == nil {
				err = w.b.Set(drawKey(person.ID, h.Name), appendDraw(w.now, held))
			}
			if err != nil {
				return err
			}
			person.Drawn = append(person.Drawn, segment.Drawn{Name: h.Name, Held: held})
			slices.SortFunc(person.Drawn, func(a, b segment.Drawn) int { return strings.Compare(a.Name, b.Name) })
		}
	}
	return nil
}
