package identity

import (
	"bufio"
	"fmt"
	"io"
	"strconv"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// ExportMatches writes one canonical JSON line for each possible match by weights, those of most worth first, and returns their number. Without a model there are none.
// A weight is in thousandths of a bit.
func (v *View) ExportMatches(to io.Writer) (n int, err error) {
	out := bufio.NewWriterSize(to, 1<<16)
	var line, after []byte
	for more := true; more; more = after != nil {
		var list []PossibleMatch
		if list, after, err = v.Matches(after, 1000); err != nil {
			return n, fmt.Errorf("export matches: %w", err)
		}
		for i := range list {
			m := &list[i]
			line = append(append(line[:0], `{"a":`...), strconv.Quote(m.A.String())...)
			line = append(append(line, `,"b":`...), strconv.Quote(m.B.String())...)
			line = canonical.AppendString(append(line, `,"reason":`...), string(m.Reason))
			line = strconv.AppendInt(append(line, `,"weight":`...), int64(m.Weight), 10)
			line = strconv.AppendInt(append(line, `,"worth":`...), m.Worth, 10)
			if _, err := out.Write(append(line, '}', '\n')); err != nil {
				return n, fmt.Errorf("export matches: %w", err)
			}
			n++
		}
	}
	return n, out.Flush()
}

// ExportHouseholds writes one canonical JSON line for each household, sorted by id, and returns their number. Without a model there are none. It looks at whom each
// person shares blocking keys with, which costs about what reading a dossier does.
func (v *View) ExportHouseholds(to io.Writer) (n int, err error) {
	if !v.weighs() {
		return 0, nil
	}
	out := bufio.NewWriterSize(to, 1<<16)
	var line []byte
	err = v.profiles(schema.ProfileID{}, func(id schema.ProfileID) error {
		h, err := v.Household(id)
		if err != nil || h == nil || h.ID != id { // told with its first member
			return err
		}
		v.graph.age()
		line = append(append(line[:0], `{"id":`...), strconv.Quote(h.ID.String())...)
		line = appendList(append(line, ','), `"members":`, h.Members, func(b []byte, i int, of []Resident) []byte {
			b = append(append(b, `{"profile":`...), strconv.Quote(of[i].Profile.String())...)
			b = appendList(append(b, ','), `"shares":`, of[i].Shares, func(b []byte, i int, of []string) []byte { return canonical.AppendString(b, of[i]) })
			return append(b, '}')
		})
		n++
		_, err = out.Write(append(line, '}', '\n'))
		return err
	})
	if err != nil {
		return n, fmt.Errorf("export households: %w", err)
	}
	return n, out.Flush()
}
