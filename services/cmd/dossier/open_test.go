package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/envelope"
	"github.com/dossier-cdp/dossier/services/keeper"
)

// Of five records one was erased, one is of a retention that has ended, and one is no event: the other two are opened, in both framings.
func TestOpenRecords(t *testing.T) {
	dir, master, now := t.TempDir(), [32]byte{1}, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	k, err := keeper.Open(dir, master, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	ring, err := k.Ring("main")
	if err != nil {
		t.Fatal(err)
	}
	sealer := &envelope.Sealer{Keys: ring, Nonces: rand.Reader}
	sealed := func(n byte, year int) []byte {
		e := &schema.Event{}
		e.ID, e.Persona = schema.EventID{n, 6: 0x80, 8: 0x80}, schema.PersonaID{n, 6: 0x80, 8: 0x80}
		e.Workspace, e.Source, e.Type, e.Channel, e.Actor = "main", "crm", schema.TypeMessageReceived, schema.ChannelEmail, schema.ActorCustomer
		e.OccurredAt = schema.InstantOf(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC))
		e.Key = schema.KeyID{Class: keeper.StandardClass, Year: year}
		e.Text = fmt.Sprintf("message %d\n", n)
		value, err := sealer.Seal(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	values := [][]byte{sealed(1, 2026), sealed(2, 2026), sealed(3, 1995), []byte("no event"), sealed(5, 2025)}
	if err := k.Punch("main", []schema.PersonaEpoch{{Persona: schema.PersonaID{2, 6: 0x80, 8: 0x80}}}); err != nil {
		t.Fatal(err)
	}
	if err := k.Expire("main", []schema.ExpiredYear{{Class: keeper.StandardClass, Year: 1995}}); err != nil {
		t.Fatal(err)
	}
	rings, err := keeper.Read(dir, master)
	if err != nil {
		t.Fatal(err)
	}
	var frames, lines bytes.Buffer
	for _, v := range values {
		fmt.Fprintf(&frames, "%d %s\n", len(v), v)
		fmt.Fprintln(&lines, base64.StdEncoding.EncodeToString(v))
	}
	fmt.Fprint(&frames, "-1 \n")
	for name, c := range map[string]struct {
		input *bytes.Buffer
		next  func(*bufio.Reader) ([]byte, error)
	}{"framed": {&frames, framed}, "base64": {&lines, fromBase64}} {
		var out, report bytes.Buffer
		err := openRecords(t.Context(), rings["main"], c.input, &out, &report, c.next)
		if e := (*exit)(nil); !errors.As(err, &e) || e.code != exitAmbiguous {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(report.String(), "opened 2, gone 2, damaged 1") || !strings.Contains(report.String(), "record 4: ") {
			t.Errorf("%s: %s", name, &report)
		}
		if got := out.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, `"text":"message 1\n"`) || !strings.Contains(got, `"text":"message 5\n"`) {
			t.Errorf("%s: %s", name, got)
		}
	}
}
