package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/envelope"
	"github.com/dossier-cdp/dossier/schema/ids"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/keeper"
	"github.com/dossier-cdp/dossier/services/timeline/query"
)

type openCommand struct {
	Data      string `default:"./dossier-data" type:"path" help:"The data folder whose key ring opens the records." placeholder:"DIR"`
	Workspace string `default:"main" help:"The workspace of the records."`
	Base64    bool   `name:"base64" help:"Read one value in base64 a line, instead of values behind their length."`
}

func (openCommand) Help() string {
	return `Example: kcat -C -b "$(cat dossier-data/log/address)" -t events -e -q -f '%S %s\n' | dossier open --data dossier-data

Reads values of the topic events from stdin and writes each as a line of canonical JSON, as 'dossier export events' does. A value
comes behind its length in bytes and a space, as kcat's format '%S %s\n' gives it; or with --base64 as one line of base64. Needs the
data folder's key ring and the master key; an installation may run beside. Values whose key is gone, since the person was erased or
the year is no longer kept, are left out and counted on stderr. Values that are no events are left out too; then the exit code is 3.`
}

// Run opens until stdin ends.
func (c *openCommand) Run(ctx context.Context) error {
	ring, err := c.ring()
	if err != nil {
		return err
	}
	defer ring.Destroy()
	next := framed
	if c.Base64 {
		next = fromBase64
	}
	return openRecords(ctx, ring, os.Stdin, os.Stdout, os.Stderr, next)
}

func (c *openCommand) ring() (*seal.Ring, error) {
	// Without this look, a mistyped folder would get a master key of its own.
	if _, err := os.Stat(filepath.Join(c.Data, "keys", "ring")); err != nil {
		return nil, keeper.ErrNoRings
	}
	master, _, err := keeper.LoadMasterKey(c.Data, os.Getenv)
	if err != nil {
		return nil, err
	}
	rings, err := keeper.Read(c.Data, master)
	if err != nil {
		return nil, err
	}
	for name, ring := range rings {
		if name != c.Workspace {
			ring.Destroy()
		}
	}
	ring := rings[c.Workspace]
	if ring == nil {
		return nil, fmt.Errorf("there is no workspace %s in this data folder: list them with 'dossier workspaces list'", strconv.Quote(c.Workspace))
	}
	return ring, nil
}

// openRecords writes what it can open. next gives one value after the other: nil for a record without a value, io.EOF at the end.
func openRecords(ctx context.Context, ring *seal.Ring, from io.Reader, to, report io.Writer, next func(*bufio.Reader) ([]byte, error)) error {
	in, out := bufio.NewReaderSize(from, 1<<20), bufio.NewWriterSize(to, 1<<16)
	public := ids.New(ring.PRF())
	var e schema.Event
	var line []byte
	var opened, gone, damaged int
	for ctx.Err() == nil {
		value, err := next(in)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return errors.Join(fmt.Errorf("read record %d: %w", opened+gone+damaged+1, err), out.Flush())
		}
		switch err := envelope.Open(ring, value, &e); {
		case errors.Is(err, envelope.ErrVoid):
			gone++
			continue
		case err != nil:
			damaged++
			if _, err := fmt.Fprintf(report, "record %d: %v\n", opened+gone+damaged, err); err != nil {
				return err
			}
			continue
		}
		line, err = query.AppendEvent(line[:0], &e, public.Public(schema.PersonaEpoch{Persona: e.Persona, Epoch: e.Key.Epoch}), false, schema.Position{}, 0)
		if err != nil {
			return fmt.Errorf("write event %s: %w", e.ID, err)
		}
		if _, err := out.Write(line); err != nil {
			return fmt.Errorf("write events: %w", err)
		}
		opened++
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	if _, err := fmt.Fprintf(report, "opened %d, gone %d, damaged %d\n", opened, gone, damaged); err != nil {
		return err
	}
	if damaged > 0 {
		return &exit{code: exitAmbiguous}
	}
	return ctx.Err()
}

// largestRecord is more than any record of ours has.
const largestRecord = 64 << 20

// framed reads a value behind its length in decimal and a space, and skips line ends between values.
func framed(in *bufio.Reader) ([]byte, error) {
	for {
		length, err := in.ReadString(' ')
		if errors.Is(err, io.EOF) && strings.TrimSpace(length) == "" {
			return nil, io.EOF
		}
		n, malformed := strconv.Atoi(strings.TrimSpace(length))
		if err != nil || malformed != nil || n > largestRecord {
			return nil, errors.New("want the value's length in bytes, a space and the value: kcat's format '%S %s\\n' gives that")
		}
		if n < 0 {
			continue // a record without a value
		}
		value := make([]byte, n)
		if _, err := io.ReadFull(in, value); err != nil {
			return nil, fmt.Errorf("the value ends before its %d bytes", n)
		}
		return value, nil
	}
}

// fromBase64 reads a value from a line and skips empty ones.
func fromBase64(in *bufio.Reader) ([]byte, error) {
	for {
		line, err := in.ReadString('\n')
		text := strings.TrimSpace(line)
		if text == "" {
			if err != nil {
				return nil, err
			}
			continue
		}
		value, malformed := base64.StdEncoding.DecodeString(text)
		if malformed != nil {
			return nil, errors.New("want one value in base64 a line")
		}
		return value, nil
	}
}
