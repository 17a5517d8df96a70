package replay

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
)

// Cursor is the place behind an event. The zero value is the beginning.
type Cursor struct {
	OccurredAt schema.Instant
	ID         schema.EventID
}

// String writes TIME/ID, and nothing for the beginning.
func (c Cursor) String() string {
	if c == (Cursor{}) {
		return ""
	}
	return c.OccurredAt.String() + "/" + c.ID.String()
}

// ParseCursor reads what String wrote.
func ParseCursor(text string) (c Cursor, err error) {
	if text == "" {
		return Cursor{}, nil
	}
	at, id, found := strings.Cut(text, "/")
	if c.OccurredAt, err = schema.ParseInstant(at); err == nil && found {
		c.ID, err = schema.ParseEventID(id)
	}
	if err != nil || !found {
		return Cursor{}, errors.New("want TIME/ID, as the run before has printed it")
	}
	return c, nil
}

// Key sorts as events are given: by OccurredAt, before 1970 first, then by id.
func (c Cursor) Key() []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(c.OccurredAt)^1<<63), c.ID[:]...)
}

// End is where the log ended when a run began: of each partition, how many records it had. nil is wherever it ends now.
type End []int64

// String writes the numbers with commas between.
func (e End) String() string {
	numbers := make([]string, len(e))
	for n, records := range e {
		numbers[n] = strconv.FormatInt(records, 10)
	}
	return strings.Join(numbers, ",")
}

// ParseEnd reads what String wrote.
func ParseEnd(text string) (End, error) {
	if text == "" {
		return nil, nil
	}
	var e End
	for number := range strings.SplitSeq(text, ",") {
		records, err := strconv.ParseInt(number, 10, 64)
		if err != nil || records < 0 {
			return nil, errors.New("want the end of the log as the run before has printed it, such as 120,98,101,77")
		}
		e = append(e, records)
	}
	return e, nil
}

// Within gives the end for a log that ends at now: e, or now where e is nil. An end that the log never had is refused: it is another log, or a
// part of it is lost.
func (e End) Within(now []int64) ([]int64, error) {
	if e == nil {
		return now, nil
	}
	if len(e) > len(now) {
		return nil, fmt.Errorf("the log has %d partitions, and the run was begun on one of %d", len(now), len(e))
	}
	ends := make([]int64, len(now)) // partitions that came later had nothing
	for p, records := range e {
		if records > now[p] {
			return nil, fmt.Errorf("partition %d of the log ends at %d, and the run was begun when it ended at %d: it is another log", p, now[p], records)
		}
		ends[p] = records
	}
	return slices.Clip(ends), nil
}
