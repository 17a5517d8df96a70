// Command profilechanges keeps a table of personas and the profile that each belongs to, from the change feed of Dossier.
//
//	go run . -brokers HOST:PORT -url http://HOST:PORT -token TOKEN -table people.json [-until-end]
//
// A CRM that stores profile ids uses such a table to follow merges and splits: every persona id, and so every profile id ever handed out,
// is a key of it. It prints a line for each id whose profile changed: ID FROM -> TO. deploy/profiles.md describes the topic.
//
// The table and the offset are written together, so a crash repeats changes and loses none: they are idempotent.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

// state is what the file holds.
type state struct {
	Offset   int64             `json:"offset"`   // of the next record
	Profiles map[string]string `json:"profiles"` // persona → profile
}

// change is a record of the topic.
type change struct {
	Kind     string   `json:"kind"` // created, merged, split, canonical or rebuilt
	From     string   `json:"from"`
	To       string   `json:"to"`
	Personas []string `json:"personas"`
	Version  uint64   `json:"version"`
}

type follower struct {
	brokers, topic, url, token, table string
	state                             state
}

// readProfiles gives persona → profile for everybody, from the export of profiles.
func (f *follower) readProfiles(ctx context.Context) (map[string]string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url+"/v1/export/profiles", nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+f.token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("export profiles: %s", answer.Status)
	}
	table := map[string]string{}
	lines := json.NewDecoder(bufio.NewReader(answer.Body))
	for {
		var profile struct {
			ID       string `json:"id"`
			Personas []struct {
				ID string `json:"id"`
			} `json:"personas"`
		}
		if err := lines.Decode(&profile); errors.Is(err, io.EOF) {
			return table, nil
		} else if err != nil {
			return nil, fmt.Errorf("export profiles: %w", err)
		}
		for _, p := range profile.Personas {
			table[p.ID] = profile.ID
		}
	}
}

// save replaces the file whole.
func (f *follower) save() error {
	b, err := json.Marshal(f.state)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(f.table+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(b)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(f.table+".new", f.table)
}

func (f *follower) move(persona, profile string) {
	before := f.state.Profiles[persona]
	if before == profile {
		return
	}
	f.state.Profiles[persona] = profile
	if before == "" {
		before = "-"
	}
	fmt.Println(persona, before, "->", profile)
}

func (f *follower) apply(ctx context.Context, c change) error {
	if c.Kind != "rebuilt" {
		for _, persona := range c.Personas {
			f.move(persona, c.To)
		}
		return nil
	}
	// Who is who was computed anew: read all of it again.
	all, err := f.readProfiles(ctx)
	for persona, profile := range all {
		f.move(persona, profile)
	}
	return err
}

// ends are the offset of the oldest record that the log still has, and that of the next one to come.
func (f *follower) ends(ctx context.Context) (first, next int64, err error) {
	leader, err := kafka.DialLeader(ctx, "tcp", strings.Split(f.brokers, ",")[0], f.topic, 0)
	if err != nil {
		return 0, 0, err
	}
	defer leader.Close()
	return leader.ReadOffsets()
}

// begin reads the table, or everybody when nothing is known yet or the log has dropped what comes next.
func (f *follower) begin(ctx context.Context) error {
	f.state = state{Offset: -1, Profiles: map[string]string{}}
	b, err := os.ReadFile(f.table)
	if err == nil {
		err = json.Unmarshal(b, &f.state)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	first, next, err := f.ends(ctx)
	if err != nil || f.state.Offset >= first {
		return err
	}
	// The end of the topic first, then the export: what changes in between comes again, and changes nothing.
	f.state.Offset = next
	all, err := f.readProfiles(ctx)
	if err != nil {
		return err
	}
	maps.Copy(f.state.Profiles, all)
	return f.save()
}

func (f *follower) run(ctx context.Context, untilEnd bool) error {
	if err := f.begin(ctx); err != nil {
		return err
	}
	reader := kafka.NewReader(kafka.ReaderConfig{Brokers: strings.Split(f.brokers, ","), Topic: f.topic, Partition: 0, MaxWait: 250 * time.Millisecond})
	defer reader.Close()
	if err := reader.SetOffset(f.state.Offset); err != nil {
		return err
	}
	for {
		_, end, err := f.ends(ctx)
		if err != nil {
			return err
		}
		for f.state.Offset < end {
			record, err := reader.ReadMessage(ctx)
			if err != nil {
				return err
			}
			var c change
			if err := json.Unmarshal(record.Value, &c); err != nil {
				return fmt.Errorf("record %d: %w", record.Offset, err)
			}
			if err := f.apply(ctx, c); err != nil {
				return err
			}
			f.state.Offset = record.Offset + 1
		}
		if err := f.save(); err != nil {
			return err
		}
		if untilEnd {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

func main() {
	var f follower
	flag.StringVar(&f.brokers, "brokers", "", "addresses of the log, separated by commas")
	flag.StringVar(&f.url, "url", "", "address of the installation")
	flag.StringVar(&f.token, "token", "", "a token with the scopes that an export needs")
	flag.StringVar(&f.table, "table", "", "the file that holds the table and the offset")
	flag.StringVar(&f.topic, "topic", "profiles", "the topic")
	untilEnd := flag.Bool("until-end", false, "stop at the end of the topic")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := f.run(ctx, *untilEnd); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
