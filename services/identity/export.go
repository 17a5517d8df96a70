package identity

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/persona"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// ExportOptions choose what an export shows beside what the set of events alone decides.
type ExportOptions struct {
	Clocks bool           // when the log recorded what: differs between installations
	At     schema.Instant // what is allowed at this time; 0 leaves it out, since it depends on the time of asking
}

// ExportPersonas writes one canonical JSON line for each persona, sorted by id, and returns their number. Two installations with one master key and the same
// events write the same bytes, unless Clocks is set.
func (v *View) ExportPersonas(to io.Writer, o ExportOptions) (n int, err error) {
	out := bufio.NewWriterSize(to, 1<<16)
	var line []byte
	if v.restates() {
		return v.exportPersonasThen(out, o)
	}
	err = v.snapshot.Scan([]byte{'p'}, []byte{'p' + 1}, func(key, value []byte) error {
		if err := v.ended(); err != nil {
			return err
		}
		x, err := decodeNode(identity.NodeID(key[1:]), value)
		if err != nil {
			return err
		}
		var recorded *schema.Instant
		if o.Clocks {
			recorded = &x.evidence.Recorded
		}
		known, err := x.known()
		if err != nil {
			return err
		}
		line = known.AppendJSON(line[:0], recorded)
		n++
		_, err = out.Write(append(line, '\n'))
		return err
	})
	if err != nil {
		return n, fmt.Errorf("export personas: %w", err)
	}
	return n, out.Flush()
}

// ExportProfiles writes one canonical JSON line for each profile, sorted by id, and returns their number.
func (v *View) ExportProfiles(to io.Writer, o ExportOptions) (n int, err error) {
	out := bufio.NewWriterSize(to, 1<<16)
	var line []byte
	err = v.each(func(id schema.ProfileID) error {
		var p *Profile
		var err error
		if o.At != 0 || v.restates() {
			p, err = v.Profile(id)
		} else {
			p, err = v.profile(id)
		}
		if err = errors.Join(err, v.ended()); err != nil {
			return err
		}
		if p == nil && v.restates() {
			return nil // nothing had happened
		}
		if p == nil || p.ID != id {
			return fmt.Errorf("profile %s holds nobody: %w", id, errDamaged)
		}
		v.graph.age()
		line = p.appendJSON(line[:0], o)
		n++
		_, err = out.Write(append(line, '\n'))
		return err
	})
	if err != nil {
		return n, fmt.Errorf("export profiles: %w", err)
	}
	return n, out.Flush()
}

// appendJSON appends the profile as canonical JSON: members in byte order, no whitespace.
func (p *Profile) appendJSON(b []byte, o ExportOptions) []byte {
	b = append(b, '{')
	if o.At != 0 {
		b = appendList(b, `"consents":`, p.Consents(o.At), func(b []byte, x int, of []persona.Consent) []byte { return of[x].AppendJSON(b) })
		b = append(b, ',')
	}
	b = append(append(b, `"firstOccurredAt":`...), strconv.Quote(p.First.String())...)
	b = append(b, ',')
	b = appendList(b, `"goldenRecord":`, p.GoldenRecord(), func(b []byte, x int, of []persona.Golden) []byte { return of[x].AppendJSON(b) })
	b = append(append(b, `,"hold":`...), strconv.Quote(p.Hold.String())...)
	b = append(append(b, `,"id":`...), strconv.Quote(p.ID.String())...)
	b = append(b, ',')
	b = appendList(b, `"identifiers":`, p.Identifiers(), func(b []byte, x int, of []persona.Known) []byte { return of[x].AppendJSON(b) })
	b = strconv.AppendBool(append(b, `,"known":`...), p.Known)
	b = append(append(b, `,"lastOccurredAt":`...), strconv.Quote(p.Last.String())...)
	b = append(b, ',')
	b = appendList(b, `"personas":`, p.Members, func(b []byte, x int, of []Member) []byte {
		b = append(append(b, `{"id":`...), strconv.Quote(of[x].ID.String())...)
		if o.Clocks {
			b = append(append(b, `,"recordedAt":`...), strconv.Quote(of[x].Recorded.String())...)
		}
		b = append(append(b, `,"standing":`...), strconv.Quote(of[x].Standing.String())...)
		return append(b, '}')
	})
	b = append(b, ',')
	b = appendList(b, `"possibleMatches":`, p.Possible, func(b []byte, x int, of []Possible) []byte {
		b = appendList(append(b, '{'), `"kinds":`, of[x].Kinds, func(b []byte, x int, of []string) []byte { return canonical.AppendString(b, of[x]) })
		b = append(append(b, `,"profile":`...), strconv.Quote(of[x].Profile.String())...)
		b = append(append(b, `,"reason":`...), strconv.Quote(string(of[x].Reason))...)
		return append(b, '}')
	})
	return append(b, '}')
}

func appendList[T any](b []byte, key string, of []T, element func(b []byte, i int, of []T) []byte) []byte {
	b = append(append(b, key...), '[')
	for i := range of {
		if i > 0 {
			b = append(b, ',')
		}
		b = element(b, i, of)
	}
	return append(b, ']')
}
