package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/dossier-cdp/dossier/services/internal/load"
)

type benchCommand struct {
	Names  []string      `arg:"" name:"name" help:"ingest, endtoend, freshness, store, header, full, past, idle, rebuild, replay, diff, erase, fold, foldnew, match, resolve, care, inbox, metrics, reputation, segments, or all. Those that need a store share one."`
	For    time.Duration `default:"20s" help:"How long to measure."`
	Stores []int64       `name:"store" default:"1000000" help:"Events stored before header, full, past, idle, rebuild, replay, diff and erase are measured, and folded by fold, foldnew and care; metrics has a fifth as many conversations, reputation as many posts, segments a twentieth as many people. Several, from small to large, are measured one after the other, stores being filled further." placeholder:"N,…"`
	Store  int64         `kong:"-"` // that of Stores that is measured
	Only   []string      `help:"Of metrics: these alone." placeholder:"METRIC"`
	People int           `default:"10000" help:"Customers who are invented for match and resolve; each has some three records."`
	Rate   int           `help:"Events or reads a second that are offered (default: endtoend 22,500, freshness 2,000, header 1,000, full 60, match 500)."`
	Dir    string        `help:"Where to make the throw-away data folders (default: the system's temporary folder)." type:"path"`
	Kafka  []string      `help:"Brokers to measure with instead of the embedded log, HOST:PORT,…; the topics that are made there are removed again." placeholder:"ADDRS"`
	JSON   bool          `help:"Print one JSON object a line."`
}

func (benchCommand) Help() string {
	return `Example: dossier bench ingest --for 30s
Example: dossier bench endtoend --kafka 127.0.0.1:9092
Example: dossier bench store header idle --store 10000000

Each benchmark starts an installation of its own in a throw-away folder and measures it beside a limit that it measures on the same
machine in the same run: share is the part of that limit that was reached. CPU is of the installation alone, without the generator.`
}

// benchResult is one line of `dossier bench`.
type benchResult struct {
	Bench          string  `json:"bench"`
	N              int64   `json:"n"`
	PerSecond      float64 `json:"per_second"`
	CPU            float64 `json:"cpu_us"` // microseconds an event or a read, of the installation's processes
	P50            float64 `json:"p50_ms"`
	P99            float64 `json:"p99_ms"`
	LimitPerSecond float64 `json:"limit_per_second"`
	Share          float64 `json:"share"`
	RSS            float64 `json:"rss_mb"`
	Limit          string  `json:"limit,omitempty"` // what the limit is
	Note           string  `json:"note,omitempty"`
}

// benches are the benchmarks in the order in which they run.
var benches = []bench{
	{"ingest", (*benchCommand).ingest, nil},
	{"endtoend", (*benchCommand).endToEnd, nil},
	{"freshness", (*benchCommand).freshness, nil},
	{"store", nil, (*benchCommand).cost},
	{"header", nil, (*benchCommand).header},
	{"full", nil, (*benchCommand).full},
	{"past", nil, (*benchCommand).past},
	{"idle", nil, (*benchCommand).idle},
	{"rebuild", nil, (*benchCommand).rebuild},
	{"replay", nil, (*benchCommand).replay},
	{"diff", nil, (*benchCommand).diff},
	{"erase", nil, (*benchCommand).erase},
	{"fold", (*benchCommand).foldSteady, nil},
	{"foldnew", (*benchCommand).foldNew, nil},
	{"match", (*benchCommand).match, nil},
	{"resolve", (*benchCommand).resolve, nil},
	{"care", (*benchCommand).care, nil},
	{"inbox", (*benchCommand).inbox, nil},
	{"metrics", (*benchCommand).metrics, nil},
	{"reputation", (*benchCommand).reputation, nil},
	{"segments", (*benchCommand).segments, nil},
}

type bench struct {
	name   string
	run    func(*benchCommand, context.Context) (benchResult, error)
	stored func(*benchCommand, context.Context, *store) (benchResult, error) // of those that need a store
}

// store is an installation that holds benchCommand.Store events.
type store struct {
	*subject
	events int64
	people int
	costs  []float64 // CPU an event of each tenth of what was stored each time, in microseconds
	half   time.Time // when half of them were stored
}

// Run runs the benchmarks that were named.
func (c *benchCommand) Run(ctx context.Context) (err error) {
	for _, name := range c.Names {
		if name != "all" && !slices.ContainsFunc(benches, func(b bench) bool { return b.name == name }) {
			return &exit{exitMisused, fmt.Errorf("there is no benchmark %q: see 'dossier bench --help'", name)}
		}
	}
	if !slices.IsSorted(c.Stores) || c.Stores[0] < 1 {
		return &exit{exitMisused, errors.New("--store takes sizes above zero, from small to large")}
	}
	var s *store
	defer func() {
		if s != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	for _, c.Store = range c.Stores {
		if s, err = c.atSize(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// atSize runs what was named with c.Store events, in a store that is made or filled further where one is needed, and returns that.
func (c *benchCommand) atSize(ctx context.Context, s *store) (*store, error) {
	for _, b := range benches {
		if !slices.Contains(c.Names, b.name) && !slices.Contains(c.Names, "all") {
			continue
		}
		var result benchResult
		var err error
		if b.stored == nil {
			result, err = b.run(c, ctx)
		} else {
			if s == nil || s.events < c.Store {
				s, err = c.fill(ctx, s)
			}
			if err == nil {
				result, err = b.stored(c, ctx, s)
				result.Note += fmt.Sprintf(" (%d events stored)", c.Store)
			}
		}
		if err != nil {
			return s, fmt.Errorf("bench %s: %w", b.name, err)
		}
		result.Bench = b.name
		if result.LimitPerSecond > 0 {
			result.Share = result.PerSecond / result.LimitPerSecond
		}
		if err := c.print(result); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (c *benchCommand) print(r benchResult) error {
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	_, err := fmt.Printf("%-10s n %d, %.0f/s, %.1f µs CPU each, p50 %.1f ms, p99 %.1f ms, limit %.0f/s (%s), share %.2f, %.0f MB %s\n",
		r.Bench, r.N, r.PerSecond, r.CPU, r.P50, r.P99, r.LimitPerSecond, r.Limit, r.Share, r.RSS, r.Note)
	return err
}

// subject is an installation under measurement, in processes of its own.
type subject struct {
	credentials
	client *client
	cmd    *exec.Cmd
	dir    string
	log    []string // flags that say where its log is
	undo   func(ctx context.Context) error
}

// start starts an installation in a fresh folder.
func (c *benchCommand) start(ctx context.Context, arguments ...string) (*subject, error) {
	dir, err := os.MkdirTemp(c.Dir, "dossier-bench-")
	if err != nil {
		return nil, err
	}
	s := &subject{dir: dir, undo: func(context.Context) error { return nil }}
	if len(c.Kafka) > 0 {
		prefix := filepath.Base(dir) + "."
		s.log = []string{"--kafka", strings.Join(c.Kafka, ","), "--topic-prefix", prefix}
		s.undo = func(ctx context.Context) error { return c.removeTopics(ctx, prefix) }
	}
	return s, s.up(ctx, arguments...)
}

// up starts the installation of the folder and returns when it serves.
func (s *subject) up(ctx context.Context, arguments ...string) error {
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	s.cmd = exec.CommandContext(ctx, executable, slices.Concat([]string{"up", "--data", s.dir, "--listen", "127.0.0.1:0"}, s.log, arguments)...)
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.WaitDelay = 30 * time.Second
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "ready ") {
		return errors.Join(errors.New("the installation did not become ready"), s.cmd.Wait())
	}
	data := target{Data: s.dir}
	s.client, err = data.client()
	if err == nil {
		s.credentials = s.client.credentials
	}
	return err
}

// kill ends the installation as a crash does.
func (s *subject) kill() error {
	if err := s.cmd.Process.Kill(); err != nil {
		return err
	}
	if err := s.cmd.Wait(); err != nil && s.cmd.ProcessState == nil {
		return err
	}
	return nil
}

// stop ends the installation and removes the folder, and its topics in a cluster.
func (s *subject) stop() error {
	if s.cmd.Process == nil {
		return s.remove()
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if err := s.cmd.Wait(); err != nil && s.cmd.ProcessState == nil {
		return err
	}
	return s.remove()
}

func (s *subject) remove() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // also when the benchmark was interrupted
	defer cancel()
	return errors.Join(s.undo(ctx), os.RemoveAll(s.dir))
}

func (s *subject) cpu() time.Duration { return load.CPU(s.cmd.Process.Pid) }

func (s *subject) rss() float64 { return float64(load.RSS(s.cmd.Process.Pid)) / 1e6 }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// describe fills what all load results have in common.
func (s *subject) describe(r *load.Result, cpu time.Duration) benchResult {
	out := benchResult{N: r.Events, PerSecond: r.PerSecond(), P50: milliseconds(r.Quantile(.5)), P99: milliseconds(r.Quantile(.99)), RSS: s.rss()}
	if r.Events > 0 {
		out.CPU = float64(cpu.Microseconds()) / float64(r.Events)
	}
	if r.Failures > 0 {
		out.Note = fmt.Sprintf("(%d requests failed)", r.Failures)
	}
	return out
}

// ingest measures acknowledged events, collector and log only. The limit is the log alone: batches of the same
// size written to it without HTTP, mapping or sealing.
func (c *benchCommand) ingest(ctx context.Context) (out benchResult, err error) {
	limit, err := c.logLimit(ctx)
	if err != nil {
		return out, err
	}
	s, err := c.start(ctx, "--only-collector")
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	plan := load.Plan{URL: s.URL, Key: s.WriteKey, Users: 2000, Batch: 100, Conns: 32, For: 3 * time.Second}
	load.Run(ctx, plan) // warm
	plan.For = c.For
	before := s.cpu()
	r := load.Run(ctx, plan)
	out = s.describe(r, s.cpu()-before)
	out.LimitPerSecond, out.Limit = limit, "embedded log alone"
	if len(c.Kafka) > 0 {
		out.Limit = "the cluster alone"
	}
	return out, nil
}

// endToEnd measures events from HTTP to queryable with everything running. It is sustained: the time runs until the last event can be
// queried. The limit is what the collector and the log acknowledge while all roles run.
func (c *benchCommand) endToEnd(ctx context.Context) (out benchResult, err error) {
	s, err := c.start(ctx)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	plan := load.Plan{URL: s.URL, Key: s.WriteKey, Users: 2000, Batch: 100, Conns: 16, For: 5 * time.Second}
	peak := load.Run(ctx, plan)
	if err := s.settle(ctx); err != nil {
		return out, err
	}
	plan.Rate, plan.For = cmp.Or(c.Rate, 22_500), c.For
	before, began := s.cpu(), time.Now()
	r := load.Run(ctx, plan)
	accepted := time.Since(began)
	if err := s.settle(ctx); err != nil {
		return out, err
	}
	lag := time.Since(began) - accepted
	r.Elapsed = time.Since(began)
	out = s.describe(r, s.cpu()-before)
	out.LimitPerSecond, out.Limit = peak.PerSecond(), "accepted with all roles running, lag growing"
	out.Note += fmt.Sprintf("(offered %d/s; %.1f s behind at the end)", plan.Rate, lag.Seconds())
	return out, nil
}

// settle returns when everything accepted can be queried.
func (s *subject) settle(ctx context.Context) error {
	for {
		var answer map[string]bool
		err := s.client.call(ctx, "POST", "/v1/wait", nil, &answer)
		if e := (*apiError)(nil); errors.As(err, &e) && e.Code == "timeout" {
			continue
		}
		return err
	}
}

// calm waits until what a load left to merge and to compact is done: until the installation takes less than a tenth of a core for
// 3 seconds, or for 5 minutes.
func (s *subject) calm(ctx context.Context) error {
	const window, until = 3 * time.Second, 5 * time.Minute
	for began := time.Now(); time.Since(began) < until; {
		before := s.cpu()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(window):
		}
		if s.cpu()-before < window/10 {
			return nil
		}
	}
	return nil
}

// freshness measures the time from the acknowledgement of an event to its being in GraphQL while others come. It polls, so the figures
// include half a poll.
func (c *benchCommand) freshness(ctx context.Context) (out benchResult, err error) {
	s, err := c.start(ctx)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	loading, stopLoad := context.WithCancel(ctx)
	defer stopLoad()
	done := make(chan *load.Result, 1)
	go func() {
		done <- load.Run(loading, load.Plan{URL: s.URL, Key: s.WriteKey, Users: 2000, Batch: 10, Conns: 4, Rate: cmp.Or(c.Rate, 2000), For: c.For + 5*time.Second})
	}()
	time.Sleep(3 * time.Second)
	before, began := s.cpu(), time.Now()
	var times []time.Duration
	for n := 0; time.Since(began) < c.For && ctx.Err() == nil; n++ {
		user := fmt.Sprintf("fresh-%d", n)
		if err := s.send(ctx, user); err != nil {
			return out, err
		}
		acknowledged := time.Now()
		for {
			var answer struct {
				Dossier *struct {
					Timeline struct{ Edges []struct{ Cursor string } }
				}
			}
			err := s.client.query(ctx, `query($v: String!) { dossier(identifier: {kind: "user_id", value: $v}) { timeline(first: 1) { edges { cursor } } } }`,
				map[string]any{"v": user}, &answer)
			if err != nil {
				return out, err
			}
			if answer.Dossier != nil && len(answer.Dossier.Timeline.Edges) == 1 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		times = append(times, time.Since(acknowledged))
	}
	cpu := s.cpu() - before
	elapsed := time.Since(began)
	stopLoad()
	r := <-done
	out = benchResult{
		N: int64(len(times)), PerSecond: float64(r.Events) / (elapsed + 3*time.Second).Seconds(), P50: milliseconds(load.Quantile(times, .5)),
		P99: milliseconds(load.Quantile(times, .99)), RSS: s.rss(), CPU: float64(cpu.Microseconds()) / (1000 * elapsed.Seconds()),
		Note: "(latency from acknowledged to in GraphQL)",
	}
	return out, nil
}

func (s *subject) send(ctx context.Context, user string) error {
	event := map[string]any{"type": "profile.identified", "userId": user, "messageId": user, "occurredAt": time.Now().UTC().Format(time.RFC3339Nano)}
	key := *s.client
	key.APIToken = s.WriteKey
	response, err := key.do(ctx, "POST", "/v1/events", event)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// fill stores events of many people until there are c.Store, as fast as they become queryable, in an installation that it makes or in the one given.
func (c *benchCommand) fill(ctx context.Context, out *store) (*store, error) {
	if out == nil {
		s, err := c.start(ctx)
		if err != nil {
			return nil, err
		}
		out = &store{subject: s}
	}
	out.people = int(max(1000, c.Store/50))
	missing, s := c.Store-out.events, out.subject
	const steps, conns = 10, 4
	for step := range steps {
		before := s.cpu()
		r := load.Run(ctx, load.Plan{
			URL: s.URL, Key: s.WriteKey, Users: out.people, First: int(out.events) / conns, Batch: 500, Conns: conns, Rate: 22_000, Events: missing / steps,
		})
		if err := s.settle(ctx); err != nil {
			return out, err
		}
		if r.Failures > 0 {
			return out, fmt.Errorf("%d requests failed", r.Failures)
		}
		out.costs = append(out.costs, float64((s.cpu()-before).Microseconds())/float64(r.Events))
		out.events += missing / steps
		if step == steps/2 {
			out.half = time.Now()
		}
		fmt.Fprintf(os.Stderr, "stored %d of %d events, %.1f µs CPU each\n", out.events, c.Store, out.costs[len(out.costs)-1])
	}
	out.events = c.Store
	return out, nil
}

// cost tells what an event costs in an empty store and in a full one: CPU of everything until it can be queried.
func (c *benchCommand) cost(_ context.Context, s *store) (benchResult, error) {
	first, last := s.costs[1], s.costs[len(s.costs)-1] // the first tenth is all new people
	return benchResult{
		N: c.Store, CPU: last, RSS: s.rss(), Note: fmt.Sprintf("(the second tenth %.1f µs an event, the last %.1f: %.2f times)", first, last, last/first),
	}, nil
}

// read asks a dossier again and again at a rate, over as many connections as it takes, and measures from when each was due. It begins when
// the load is digested.
func (c *benchCommand) read(ctx context.Context, s *store, rate int, document string, variables map[string]any) (benchResult, error) {
	if err := s.calm(ctx); err != nil {
		return benchResult{}, err
	}
	limit := c.httpLimit(ctx, s.subject)
	var r []time.Duration
	before, began := s.cpu(), time.Now()
	results := make(chan time.Duration, 1<<16)
	failures := make(chan error, 1)
	total := int(c.For.Seconds() * float64(rate))
	slots := make(chan struct{}, 64)
	for n := range total {
		due := began.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
		time.Sleep(time.Until(due))
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			var answer struct{ Dossier map[string]any }
			asked := maps.Clone(variables)
			asked["v"] = load.User(n * 7919 % s.people)
			err := s.client.query(ctx, document, asked, &answer)
			if err == nil && answer.Dossier == nil {
				err = errors.New("a person who was stored has no dossier")
			}
			if err != nil {
				select {
				case failures <- err:
				default:
				}
				return
			}
			results <- time.Since(due)
		}()
	}
	for range cap(slots) {
		slots <- struct{}{}
	}
	close(results)
	for d := range results {
		r = append(r, d)
	}
	select {
	case err := <-failures:
		return benchResult{}, err
	default:
	}
	cpu, elapsed := s.cpu()-before, time.Since(began)
	return benchResult{
		N: int64(len(r)), PerSecond: float64(len(r)) / elapsed.Seconds(), CPU: float64(cpu.Microseconds()) / float64(max(1, len(r))),
		P50: milliseconds(load.Quantile(r, .5)), P99: milliseconds(load.Quantile(r, .99)), RSS: s.rss(),
		LimitPerSecond: limit, Limit: "the same server answering nothing", Note: fmt.Sprintf("(offered %d/s)", rate),
	}, nil
}

// header measures the head of a dossier.
func (c *benchCommand) header(ctx context.Context, s *store) (benchResult, error) {
	return c.read(ctx, s, cmp.Or(c.Rate, 1000), `query($v: String!) { dossier(identifier: {kind: "user_id", value: $v}) {
  profile { id known firstContact lastContact } goldenRecord { name value source time assurance } identifiers { kind value assurance } consents { purpose state } } }`, map[string]any{})
}

// full measures a whole dossier with 50 interactions.
func (c *benchCommand) full(ctx context.Context, s *store) (benchResult, error) {
	return c.read(ctx, s, cmp.Or(c.Rate, 60), `query($v: String!, $first: Int) { dossier(identifier: {kind: "user_id", value: $v}) { `+dossierFields+householdFields+` } }`, map[string]any{"first": 50})
}

// idle measures memory and CPU of an installation that has nothing to do, also after a crash, and how soon it is ready then.
func (c *benchCommand) idle(ctx context.Context, s *store) (out benchResult, err error) {
	measure := func() (rss float64, cpu float64) {
		time.Sleep(2 * time.Minute) // what a load or a start left to merge, to compact and to give back is no idling
		before, began := s.cpu(), time.Now()
		time.Sleep(c.For)
		return s.rss(), (s.cpu() - before).Seconds() / time.Since(began).Seconds()
	}
	rss, cpu := measure()
	if err := s.kill(); err != nil {
		return out, err
	}
	began := time.Now()
	if err := s.up(ctx); err != nil {
		return out, err
	}
	ready := time.Since(began)
	rssAfter, cpuAfter := measure()
	return benchResult{
		N: c.Store, RSS: max(rss, rssAfter), P50: milliseconds(ready), P99: milliseconds(ready),
		Note: fmt.Sprintf("(%.0f MB and %.1f %% of a core; after kill -9: ready in %.1f s, %.0f MB and %.1f %%)", rss, 100*cpu, ready.Seconds(), rssAfter, 100*cpuAfter),
	}, nil
}

// httpLimit is how fast the same server answers nothing, over 8 connections.
func (c *benchCommand) httpLimit(ctx context.Context, s *subject) float64 {
	until, n := time.Now().Add(2*time.Second), make(chan int, 8)
	for range cap(n) {
		go func() {
			count := 0
			for time.Now().Before(until) {
				response, err := s.client.do(ctx, "GET", "/healthz", nil)
				if err != nil {
					break
				}
				if response.Body.Close() == nil {
					count++
				}
			}
			n <- count
		}()
	}
	total := 0
	for range cap(n) {
		total += <-n
	}
	return float64(total) / 2
}
