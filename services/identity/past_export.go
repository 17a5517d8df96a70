package identity

import (
	"bufio"
	"context"
	"fmt"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
)

// restatedAtOnce is how many personas or profiles an export of what had happened recalls by one query.
const restatedAtOnce = 500

// restates says whether the view tells of what had happened by a time.
func (v *View) restates() bool { return v.then != nil && v.then.past.AsOf != 0 }

// ended says why a view of the past may not be used any more.
func (v *View) ended() error {
	if v.then == nil || v.then.ctx.Err() == nil {
		return nil
	}
	return schema.Classify(schema.Transient, context.Cause(v.then.ctx))
}

// each is profiles from the first on. What had happened is recalled for many profiles at once.
func (v *View) each(f func(schema.ProfileID) error) error {
	if !v.restates() {
		return v.profiles(schema.ProfileID{}, f)
	}
	for after := (schema.ProfileID{}); ; {
		ids, err := v.Page(after, restatedAtOnce)
		if err != nil || len(ids) == 0 {
			return err
		}
		after = ids[len(ids)-1]
		var members []Member
		for _, id := range ids {
			p, err := v.profile(id)
			if err != nil {
				return err
			}
			if p != nil {
				members = append(members, p.Members...)
			}
		}
		v.then.states = map[schema.ProfileID]*kept{}
		if err := v.then.load(members); err != nil {
			return err
		}
		for _, id := range ids {
			if err := f(id); err != nil {
				return err
			}
		}
		v.graph.age()
	}
}

// exportPersonasThen is ExportPersonas of what had happened.
func (v *View) exportPersonasThen(out *bufio.Writer, o ExportOptions) (n int, err error) {
	var line []byte
	var members []Member
	flush := func() error {
		v.then.states = map[schema.ProfileID]*kept{}
		if err := v.then.load(members); err != nil {
			return err
		}
		for i := range members {
			is := v.then.states[members[i].ID].state
			if is == nil {
				continue
			}
			var recorded *schema.Instant
			if o.Clocks {
				recorded = &members[i].Recorded
			}
			line = is.AppendJSON(line[:0], recorded)
			n++
			if _, err := out.Write(append(line, '\n')); err != nil {
				return err
			}
		}
		members = members[:0]
		return nil
	}
	err = v.snapshot.Scan([]byte{'p'}, []byte{'p' + 1}, func(key, value []byte) error {
		x, err := decodeNode(identity.NodeID(key[1:]), value)
		if err != nil {
			return err
		}
		known, err := x.known()
		if err != nil {
			return err
		}
		if members = append(members, Member{x.id, x.evidence.Standing, known, x.evidence.Recorded}); len(members) < restatedAtOnce {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return n, fmt.Errorf("export personas: %w", err)
	}
	return n, out.Flush()
}
