package replay

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/dossier-cdp/dossier/schema"
)

// Line is one event as an Encoder wrote it, with its newline.
type Line struct {
	Text    []byte // valid until the next one is read
	At      Cursor // behind it
	Persona string
}

// Lines reads lines. A last one without its end was cut, and is left out: whoever wrote it says so elsewhere.
func Lines(from io.Reader, yield func(Line) error) error {
	in := bufio.NewReaderSize(from, 1<<20)
	var long []byte
	for {
		text, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			long = append(long, text...)
			continue
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the events: %w", err)
		}
		if long != nil {
			text, long = append(long, text...), nil
		}
		line, err := parseLine(text)
		if err != nil {
			return err
		}
		if err := yield(line); err != nil {
			return err
		}
	}
}

func parseLine(text []byte) (l Line, err error) {
	var members struct {
		ID, OccurredAt, Persona string // of an event
		Time, Subject           string // of a CloudEvent, in place of the last two
	}
	if err := json.Unmarshal(text, &members); err != nil {
		return l, errors.New("a line of the answer is no event: is the address that of a Dossier?")
	}
	if members.OccurredAt == "" {
		members.OccurredAt, members.Persona = members.Time, members.Subject
	}
	l.Text, l.Persona = text, members.Persona
	if l.At.OccurredAt, err = schema.ParseInstant(members.OccurredAt); err == nil {
		l.At.ID, err = schema.ParseEventID(members.ID)
	}
	if err != nil {
		return l, errors.New("a line of the answer is no event: is the address that of a Dossier?")
	}
	return l, nil
}
