package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
	"github.com/dossier-cdp/dossier/services/replay"
)

type replayCommand struct {
	Events replayEventsCommand `cmd:"" default:"withargs" help:"Write events back, to a stream, a file or a topic."`

	Start   replayStartCommand   `cmd:"" help:"Build a whole set of projections beside the live one."`
	Status  replayStatusCommand  `cmd:"" help:"Say how far shadows are, how fast, and how long they take."`
	Diff    replayDiffCommand    `cmd:"" help:"Say what is other in a shadow than live."`
	Pause   replayPauseCommand   `cmd:"" help:"Hold a shadow."`
	Resume  replayResumeCommand  `cmd:"" help:"Let a shadow go on."`
	Promote replayPromoteCommand `cmd:"" help:"Have a shadow take the place of the live projections."`
	Discard replayDiscardCommand `cmd:"" help:"Remove a shadow."`
}

func (replayCommand) Help() string {
	return `Example: dossier replay --to stdout --types order.placed --personal --purpose 'rebuild of the sales report'

'dossier replay' alone is 'dossier replay events'.`
}

type replayEventsCommand struct {
	target
	connections
	To     string `enum:"stdout,file,topic" default:"stdout" help:"Where the events go: stdout, file or topic."`
	Format string `enum:",ndjson,cloudevents,parquet" default:"" help:"ndjson (default), cloudevents (1.0, in JSON; the default of a topic), or parquet (a folder, with --to file)." placeholder:"FORMAT"`
	Out    string `type:"path" help:"The file to write, or the folder of Parquet files." placeholder:"PATH"`
	Topic  string `help:"The topic to write, in the embedded log or at --kafka; made if it is not there." placeholder:"NAME"`
	Note   string `type:"path" help:"The file that says how far a topic is written (default: NAME.replay in the current folder)." placeholder:"FILE"`

	Types    []string `aliases:"type" help:"Events of these types only, such as order.placed." placeholder:"TYPE"`
	Sources  []string `aliases:"source" help:"Events of these sources only." placeholder:"SOURCE"`
	From     string   `help:"Events that occurred at this time or later. RFC 3339." placeholder:"TIME"`
	Until    string   `help:"Events that occurred before this time. RFC 3339." placeholder:"TIME"`
	Personal bool     `help:"With what is sealed: account, identifiers, traits, text, amounts, properties. Needs a token with the scope privacy, and is recorded."`
	Clocks   bool     `help:"Add receipt and record times, provenance and positions, which differ between installations."`

	After  string `help:"Carry on behind this event: what a run to stdout that was cut has printed last." placeholder:"TIME/ID"`
	LogEnd string `help:"With --after: the end of the log that the run was bound to, as it has printed." placeholder:"NUMBERS"`
	JSON   bool   `help:"Print the summary as JSON; with --to stdout to stderr."`
}

func (replayEventsCommand) Help() string {
	return `Example: dossier replay events --to file --out orders.ndjson --types order.placed --from 2026-01-01T00:00:00Z
         dossier replay events --to file --format parquet --out events/ --personal --purpose 'warehouse'
         dossier replay events --to topic --topic again --kafka kafka:9092

Gives events back as they were accepted: each once, sorted by time and id, so those of one persona are in their order; the same bytes for
the same set of events. A run is bound to the end that the log had when it began. When it is cut, the same command carries on: a file is
PATH.part and PATH.replay until it is whole, a folder of Parquet files has _replay.json. A topic gets each event at least once, keyed by
persona, with its id. Without --personal, events have their clear part: id, persona, source, type, channel, actor, times.

What leaves here is out of reach of an erasure: keep what you write no longer than you need it.`
}

// question is which events, in which form: the run that was cut had the same.
func (c *replayEventsCommand) question() url.Values {
	q := url.Values{}
	if c.Format == string(replay.CloudEvents) {
		q.Set("format", c.Format)
	}
	if c.Clocks {
		q.Set("clocks", "1")
	}
	q["type"], q["source"] = c.Types, c.Sources
	for name, value := range map[string]string{"from": c.From, "to": c.Until} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

func (c *replayEventsCommand) path() string {
	if c.Personal {
		return "/v1/replay/personal"
	}
	return "/v1/replay"
}

// check refuses flags that contradict each other.
func (c *replayEventsCommand) check() error {
	if c.Format == "" && c.To == "topic" {
		c.Format = string(replay.CloudEvents)
	}
	toFile, toTopic := c.To == "file", c.To == "topic"
	for _, wrong := range []struct {
		is   bool
		text string
	}{
		{toFile && c.Out == "", "--to file needs a path: give it with --out"},
		{toTopic && c.Topic == "", "--to topic needs a name: give it with --topic"},
		{!toFile && c.Out != "", "--out is of --to file"},
		{!toTopic && (c.Topic != "" || c.Note != ""), "--topic and --note are of --to topic"},
		{!toFile && c.Format == string(replay.Parquet), "Parquet needs a folder: give --to file --out FOLDER"},
		{c.To != "stdout" && (c.After != "" || c.LogEnd != ""), "--after and --log-end are of --to stdout: a file or topic has a note of how far it is"},
	} {
		if wrong.is {
			return &exit{exitMisused, errors.New(wrong.text)}
		}
	}
	return nil
}

// Run writes events until all are written, or the run is cut.
func (c *replayEventsCommand) Run(ctx context.Context) error {
	if err := c.check(); err != nil {
		return err
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	out, closing, err := c.output(ctx)
	if err != nil {
		return err
	}
	run := replayRun{api: api, path: c.path(), question: c.question(), out: out}
	if err = run.do(ctx); err == nil {
		err = out.Finish()
	}
	err = errors.Join(err, closing())
	done := out.Progress()
	c.report(done)
	if err != nil && ctx.Err() != nil {
		return &exit{exitAmbiguous, errors.New("stopped in the middle: the same command carries on")}
	}
	return err
}

// report says what was written, and how to carry on where the shell keeps no note.
func (c *replayEventsCommand) report(done *replay.Progress) {
	to := io.Writer(os.Stdout)
	if c.To == "stdout" {
		to = os.Stderr
	}
	if c.JSON {
		if err := writeJSONTo(to, map[string]any{"events": done.Events, "after": done.After, "end": done.End}); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return
	}
	fmt.Fprintf(to, "%d events\n", done.Events)
	if c.To == "stdout" && done.After != "" {
		fmt.Fprintf(to, "carry on behind the last one with --after %s --log-end %s\n", done.After, done.End)
	}
}

// output opens where the events go. closing lets go of it.
func (c *replayEventsCommand) output(ctx context.Context) (out replay.Output, closing func() error, err error) {
	q := c.question()
	q.Set("form", c.To+" "+c.Format)
	if c.Personal {
		q.Set("personal", "1")
	}
	question := q.Encode()
	switch {
	case c.To == "stdout":
		if _, err := replay.ParseCursor(c.After); err != nil {
			return nil, nil, &exit{exitMisused, fmt.Errorf("--after: %w", err)}
		}
		out = replay.NewStream(os.Stdout, replay.Progress{Question: question, After: c.After, End: c.LogEnd})
	case c.To == "topic":
		return c.topic(ctx, question)
	case c.Format == string(replay.Parquet):
		out, err = replay.OpenFolder(c.Out, question)
	default:
		out, err = replay.OpenFile(c.Out, question)
	}
	if err != nil {
		return nil, nil, err
	}
	return out, out.Close, nil
}

// ownTopic says whether an installation keeps something of its own in a topic of this name.
func ownTopic(name, prefix string) bool {
	name, ours := strings.CutPrefix(name, prefix)
	for _, t := range schema.Topics() {
		if ours && (name == t.Name || strings.HasPrefix(name, t.Name+".g")) {
			return true
		}
	}
	return false
}

// topic makes the topic if it is not there, and opens it.
func (c *replayEventsCommand) topic(ctx context.Context, question string) (replay.Output, func() error, error) {
	if ownTopic(c.Topic, c.TopicPrefix) {
		return nil, nil, &exit{exitMisused, fmt.Errorf("the topic %s is Dossier's own: choose another name with --topic", c.Topic)}
	}
	config, err := c.Kafka()
	if err != nil {
		return nil, nil, err
	}
	config.TopicPrefix, config.CheckTopics = "", false // the topic is the user's: its name is whole
	replication := c.KafkaReplication
	if c.embeddedLog() {
		address, err := os.ReadFile(filepath.Join(c.Data, "log", "address"))
		if err != nil {
			return nil, nil, fmt.Errorf("%s has no embedded log: say with --kafka where the topic is", c.Data)
		}
		config.Brokers, replication = []string{strings.TrimSpace(string(address))}, 1
	}
	client, err := kafka.Open(ctx, config)
	if err != nil {
		return nil, nil, err
	}
	err = client.EnsureTopics(ctx, []schema.Topic{{Name: c.Topic}}, 0, replication)
	partitions := int32(0)
	if err == nil {
		partitions, err = client.Partitions(ctx, c.Topic)
	}
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	batcher := kafka.NewBatcher(client, c.Topic, partitions, kafka.BatcherConfig{})
	closing := func() error {
		defer client.Close()
		return batcher.Close(ctx)
	}
	note := c.Note
	if note == "" {
		note = c.Topic + ".replay"
	}
	out, err := replay.OpenTopic(ctx, batcher, note, question, replay.Format(c.Format))
	if err != nil {
		return nil, nil, errors.Join(err, closing())
	}
	return out, closing, nil
}

// replayRun asks for what an output has not got yet.
type replayRun struct {
	api      *client
	path     string
	question url.Values
	out      replay.Output
}

func (r *replayRun) do(ctx context.Context) error {
	p := r.out.Progress()
	for name, value := range map[string]string{"after": p.After, "end": p.End} {
		if value != "" {
			r.question.Set(name, value)
		}
	}
	response, err := r.api.do(ctx, http.MethodGet, r.path+"?"+r.question.Encode(), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if p.End = response.Header.Get(manage.EndHeader); p.End == "" {
		return fmt.Errorf("%s does not say where its log ends: is it a Dossier of this version?", r.api.URL)
	}
	if err := r.out.Save(); err != nil { // what follows is bound to this end
		return err
	}
	shown := newProgress("events")
	var failed error // of the output: what it took cannot be saved either
	err = replay.Lines(response.Body, func(l replay.Line) error {
		if failed = r.out.Take(l); failed != nil {
			return failed
		}
		shown.update(p.Events, 0)
		return ctx.Err()
	})
	shown.done()
	if failed != nil {
		return failed
	}
	if err == nil {
		if cut := response.Trailer.Get("Dossier-Error"); cut != "" {
			err = fmt.Errorf("the answer is cut: %s; the same command carries on", cut)
		}
	}
	if err != nil {
		return errors.Join(err, r.out.Save())
	}
	return nil
}
