package e2e

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// split is an installation whose roles run in processes of their own, on one log and one ClickHouse.
type split struct {
	dir     string
	place   place               // of the log
	engines []string            // the flags that say where log, ClickHouse and archive are
	inside  map[string]*network // processes that run in a network of their own
	stepped string              // a binary whose clock can be set, by a file in dir for each process; empty: the ordinary one
	log     *tail
}

// process is one of its processes.
type process struct {
	name, url string
	cmd       *exec.Cmd
	ended     chan struct{}
}

// run starts a command and waits for its line "ready …", whose words it gives.
func (s *split) run(t *testing.T, name string, args ...string) (*process, []string) {
	t.Helper()
	p := &process{name: name, ended: make(chan struct{})}
	args = append([]string{cmp.Or(s.stepped, binary(t))}, args...)
	if n := s.inside[name]; n != nil {
		args = n.within(args)
	}
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Dir, p.cmd.Env, p.cmd.Stderr, p.cmd.SysProcAttr = s.dir, environment(masterKey, "STEPPED_CLOCK="+filepath.Join(s.dir, name+".clock")), s.log, endedWithTheTest()
	stdout, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan []string, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if words, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
				ready <- strings.Fields(words)
			}
		}
		p.cmd.Wait() //nolint:errcheck // how it ended is in its state
		close(p.ended)
	}()
	t.Cleanup(func() { p.kill(t) })
	select {
	case words := <-ready:
		return p, words
	case <-p.ended:
		t.Fatalf("%s ended before it was ready: %s", name, s.log)
	case <-time.After(patience):
		t.Fatalf("%s did not become ready: %s", name, s.log)
	}
	return nil, nil
}

func (p *process) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// kill ends the process without a chance to clean up.
func (p *process) kill(t *testing.T) {
	t.Helper()
	select {
	case <-p.ended:
		return
	default:
	}
	p.signal(t, syscall.SIGKILL)
	<-p.ended
}

// divide starts the engines and the processes, each with the roles named.
func divide(t *testing.T, processes ...string) (*split, map[string]*process) {
	t.Helper()
	s := undivided(t)
	return s, s.all(t, processes...)
}

// undivided starts the engines, a log and a ClickHouse that are new.
func undivided(t *testing.T) *split {
	t.Helper()
	s := &split{dir: t.TempDir(), log: &tail{}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what the processes wrote to stderr:\n%s", s.log)
		}
	})
	_, engines := s.run(t, "engines", "engines", "--data", filepath.Join(s.dir, "engines"))
	if s.place = newPlace(t); !onCluster() {
		s.place.brokers = engines[:1]
	}
	s.engines = []string{"--kafka", strings.Join(s.place.brokers, ","), "--clickhouse", engines[1], "--archive", filepath.Join(s.dir, "shared-archive")}
	if s.place.prefix != "" {
		s.engines = append(s.engines, "--topic-prefix", s.place.prefix)
	}
	return s
}

// all starts the processes, each with the roles named.
func (s *split) all(t *testing.T, processes ...string) map[string]*process {
	t.Helper()
	all := map[string]*process{}
	for _, roles := range processes {
		all[roles] = s.serve(t, roles, roles)
	}
	return all
}

// serve starts a process with roles, under a name that others with the same roles do not have.
func (s *split) serve(t *testing.T, name, roles string, more ...string) *process {
	t.Helper()
	return s.serveOn(t, name, roles, slices.Concat(s.engines, more))
}

// serveOn is serve with other flags that say where log, ClickHouse and archive are.
func (s *split) serveOn(t *testing.T, name, roles string, engines []string) *process {
	t.Helper()
	first, _, _ := strings.Cut(roles, ",")
	certificate := filepath.Join(s.dir, "certificates", name)
	if o := command(t, nil, "certificates", "create", roles, "--data", filepath.Join(s.dir, "keeper"), "--out", certificate); o.code != 0 {
		t.Fatalf("no certificate: %s", o.stderr)
	}
	data := filepath.Join(s.dir, name)
	if first == "keeper" {
		data = filepath.Join(s.dir, "keeper")
	}
	p, words := s.run(t, name, append([]string{"serve", "--roles", roles, "--data", data, "--listen", s.inside[name].host() + ":0", "--certificate", certificate}, engines...)...)
	p.url = words[0]
	return p
}

// through is the installation as it is reached through one of its processes.
func (s *split) through(t *testing.T, p *process) *installation {
	t.Helper()
	i := &installation{data: filepath.Join(s.dir, "keeper"), log: s.log}
	i.read(t)
	i.URL = p.url
	return i
}

// digestOf gives the digest through a process with the role api.
func (s *split) digestOf(t *testing.T, p *process) string {
	t.Helper()
	o := command(t, nil, "digest", "--data", filepath.Join(s.dir, "keeper"), "--url", p.url)
	if o.code != 0 {
		t.Fatalf("dossier digest: %s", o.stderr)
	}
	return o.stdout
}

// metricsOf reads what a process measures of itself.
func metricsOf(t *testing.T, p *process) string {
	t.Helper()
	res, err := http.Get(p.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// forgets erases a person by a record of the control topic: every process honours it.
func (s *split) forgets(t *testing.T, i *installation, other *process) {
	t.Helper()
	event := json.RawMessage(`{"type":"message.received","channel":"email","source":"shop","messageId":"gone","occurredAt":"2025-01-01T00:00:00Z","userId":"to-be-erased","text":"` + unforgettable + `"}`)
	i.send(t, basic(i.WriteKey), event)
	persona := i.persona(t, "shop", "to-be-erased")
	version := func(p string) string { // of the ring, as a process has it
		_, rest, _ := strings.Cut(p, "dossier_ring_version{role=\"")
		_, rest, _ = strings.Cut(rest, "} ")
		value, _, _ := strings.Cut(rest, "\n")
		return value
	}
	before := version(metricsOf(t, other))
	erase(t, s.place.client(t), map[string]bool{persona: true})
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) { // until the collector knows
		r, err := i.offer(t.Context(), basic(i.WriteKey), event)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Refused) == 1 && r.Refused[0].Code == "erased" {
			break
		}
		if time.Since(begun) > patience {
			t.Fatal("the erasure is not honoured")
		}
	}
	for _, name := range []string{"events", "personas", "profiles", "timeline"} {
		if text := i.must(t, "export", name, "--clocks"); strings.Contains(text, unforgettable) || strings.Contains(text, persona) {
			t.Errorf("%s still has the erased", name)
		}
	}
	keeper := version(metricsOf(t, &process{url: i.URL}))
	if after := version(metricsOf(t, other)); after == before || after != keeper {
		t.Errorf("the process without the keeper has version %s of the ring, had %s; the keeper has %s", after, before, keeper)
	}
}

// keeps copies the key ring and the rest through an api that does not keep the ring, and comes back from both.
func (s *split) keeps(t *testing.T, keeper, api *process, want string) {
	t.Helper()
	i := s.through(t, api)
	file, dir := filepath.Join(t.TempDir(), "dossier.ring"), filepath.Join(t.TempDir(), "backup")
	i.must(t, "ring", "copy", "--name", "safe", file, "--url", api.url)
	i.must(t, "backup", dir, "--url", api.url)
	if list := i.must(t, "ring", "list", "--url", api.url); !strings.Contains(list, "safe") || !strings.Contains(list, "current") {
		t.Errorf("the list of copies is %s", list)
	}
	restored(t, dir, file).sameDigest(t, want, nil)
	keeper.kill(t)
	if o := i.dossier(t, "ring", "copy", "--name", "late", file, "--url", api.url); o.code != 1 || strings.Count(strings.TrimSpace(o.stderr), "\n") > 1 || !strings.Contains(o.stderr, "keeper") {
		t.Errorf("without a keeper: %d %s", o.code, o.stderr)
	}
	i.must(t, "ring", "destroyed", "safe", "--url", api.url)
}

// TestServe: the roles in processes of their own, in any split, answer as one process does; whichever of them is killed or paused, another
// takes over within 10 seconds, nothing is lost, and nothing is there twice.
func TestServe(t *testing.T) {
	up := install(t)
	inputs := nastyEvents(1)
	up.give(t, rand.New(rand.NewPCG(0, 0)), inputs)
	want := up.digest(t)
	up.kill(t)
	random := seeded(t)

	t.Run("an odd split", func(t *testing.T) {
		s, all := divide(t, "keeper,collector,api", "identity,archive,timeline,care,segments")
		i := s.through(t, all["keeper,collector,api"])
		i.give(t, random, permuted(random, inputs))
		if got := i.digest(t); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		i.must(t, "doctor")
		s.forgets(t, i, all["identity,archive,timeline,care,segments"])
		grantedOnce(t, i, s.through(t, s.serve(t, "api-2", "api")))
	})

	t.Run("seven processes", func(t *testing.T) {
		s, all := divide(t, "keeper", "archive", "identity", "timeline", "care", "collector", "api")
		api := all["api"]
		sender := s.through(t, all["collector"])
		events := permuted(random, inputs)
		part := func() []input {
			n := min(len(events), len(inputs)/6)
			taken := events[:n]
			events = events[n:]
			return taken
		}
		sender.give(t, random, part())
		for _, role := range []string{"identity", "timeline", "archive", "care"} {
			standby := s.serve(t, role+"-2", role)
			sender.give(t, random, part())
			former := all[role]
			if role == "timeline" { // paused, replaced, and going on as if nothing had been
				former.signal(t, syscall.SIGSTOP)
			} else {
				former.kill(t)
			}
			begun := time.Now()
			sender.give(t, random, part())
			s.digestOf(t, api)
			for !strings.Contains(metricsOf(t, standby), `dossier_lease_held{lease="`+role) {
				if time.Since(begun) > patience {
					t.Fatalf("nobody took %s over", role)
				}
				time.Sleep(50 * time.Millisecond)
			}
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("%s was taken over, and everything answered, after %v", role, took)
			} else {
				t.Logf("%s: taken over, and everything answered, %v after its owner was gone", role, took.Round(time.Millisecond))
			}
			if role == "timeline" {
				former.signal(t, syscall.SIGCONT)
			}
			all[role] = standby
		}
		sender.give(t, random, events)
		if got := s.digestOf(t, api); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		// Whoever is killed and comes back.
		for _, role := range []string{"keeper", "api"} {
			all[role].kill(t)
			all[role] = s.serve(t, role, role)
		}
		if got := s.digestOf(t, all["api"]); got != want {
			t.Errorf("after a restart of keeper and api: got\n%swant\n%s", got, want)
		}
		s.keeps(t, all["keeper"], all["api"], want)
	})
}

// grantedOnce asks two api processes at once for the same gesture, and for two of one idempotency key: each is done once.
func grantedOnce(t *testing.T, a, b *installation) {
	t.Helper()
	a.send(t, basic(a.WriteKey), json.RawMessage(
		`{"type":"message.received","source":"desk","channel":"email","messageId":"race","conversation":"race","occurredAt":"2026-03-01T08:00:00Z","userId":"race","text":"Where is it?"}`))
	a.wait(t)
	var found struct {
		Dossier struct{ OpenCases []struct{ ID string } }
	}
	a.query(t, `{ dossier(identifier: {kind: "user_id", value: "race"}) { openCases { id } } }`, nil, &found)
	if len(found.Dossier.OpenCases) != 1 {
		t.Fatalf("%d open cases", len(found.Dossier.OpenCases))
	}
	const granting = `mutation($c: ID!, $kind: String!, $key: String!) { grantGesture(case: $c, gesture: {kind: $kind, amount: "5", currency: "EUR"}, reason: "late", idempotencyKey: $key) { event } }`
	for _, c := range []struct {
		kind, keyA, keyB string
		events, codes    int
	}{{"voucher", "race-a", "race-b", 1, 1}, {"refund", "race-c", "race-c", 2, 0}} { // one key, one decision: both are answered with its event
		type answer struct {
			event string
			code  string
		}
		answers := make(chan answer, 2)
		for _, x := range []struct {
			i   *installation
			key string
		}{{a, c.keyA}, {b, c.keyB}} {
			go func() {
				var out struct{ GrantGesture struct{ Event string } }
				if errs := x.i.ask(t, x.i.APIToken, granting, map[string]any{"c": found.Dossier.OpenCases[0].ID, "kind": c.kind, "key": x.key}, &out); len(errs) > 0 {
					answers <- answer{code: errs[0].Extensions.Code}
					return
				}
				answers <- answer{event: out.GrantGesture.Event}
			}()
		}
		first, second := <-answers, <-answers
		events, codes := map[string]bool{}, 0
		answered := 0
		for _, x := range []answer{first, second} {
			if x.code == "ALREADY_GRANTED" {
				codes++
			} else if x.code == "" {
				answered++
				events[x.event] = true
			}
		}
		if answered != c.events || codes != c.codes || len(events) != 1 {
			t.Errorf("%s: %+v and %+v", c.kind, first, second)
		}
	}
	var after struct {
		Dossier struct {
			OpenCases []struct{ Gestures []struct{ Kind string } }
		}
	}
	b.query(t, `{ dossier(identifier: {kind: "user_id", value: "race"}) { openCases { gestures { kind } } } }`, nil, &after)
	if len(after.Dossier.OpenCases) != 1 || len(after.Dossier.OpenCases[0].Gestures) != 2 {
		t.Errorf("granted: %+v", after.Dossier.OpenCases)
	}
}

// TestServeHandsOver: a process that is asked to stop gives up what it holds, and the next one need not wait until that lapses. A command that
// asks a process without the role api says what to do.
func TestServeHandsOver(t *testing.T) {
	besideOthers(t)
	s, all := divide(t, "keeper,archive,timeline,care", "identity", "collector,api")
	standby := s.serve(t, "identity-2", "identity")
	i := s.through(t, all["collector,api"])
	i.give(t, rand.New(rand.NewPCG(0, 0)), nastyEvents(3)[:50])
	if o := i.dossier(t, "show", "email:nobody@example.com"); o.code != 1 || !strings.Contains(o.stderr, "without the role api") {
		t.Errorf("the keeper answers %d %s", o.code, o.stderr)
	}
	for _, name := range []string{"identity", "collector,api", "keeper,archive,timeline,care"} {
		begun := time.Now()
		all[name].signal(t, syscall.SIGTERM)
		<-all[name].ended
		if code := all[name].cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("%s ended with %d", name, code)
		}
		if name == "identity" {
			for !strings.Contains(metricsOf(t, standby), `dossier_lease_held{lease="identity`) {
				if time.Since(begun) > patience {
					t.Fatal("nobody took identity over")
				}
				time.Sleep(20 * time.Millisecond)
			}
			t.Logf("taken over %v after the signal", time.Since(begun).Round(time.Millisecond))
		}
	}
	if text := s.log.String(); strings.Contains(text, "a lease is lost") || strings.Contains(text, "no longer known") {
		t.Errorf("a process that was asked to stop let its leases lapse: %s", text)
	}
}

// TestServeFirstStart: the first process makes the topics as it is told, and bounds what a query may cost.
func TestServeFirstStart(t *testing.T) {
	besideOthers(t)
	s, _ := divide(t)
	p := s.serve(t, "everything", "keeper,archive,identity,timeline,care,collector,api", "--topic-prefix", "first.", "--partitions", "7", "--max-query-cost", "10")
	i := s.through(t, p)
	log, err := kafka.Open(t.Context(), kafka.Config{Brokers: []string{s.engines[1]}})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if n, err := log.Partitions(t.Context(), "first.events"); err != nil || n != 7 {
		t.Errorf("events has %d partitions, %v", n, err)
	}
	status, body := i.post(t, "/graphql", "Bearer "+i.APIToken, []byte(`{"query":"{profiles(search: \"x\", first: 100) {edges {node {id}}}}"}`))
	if !strings.Contains(string(body), "QUERY_TOO_COSTLY") {
		t.Errorf("a query over the bound is answered %d %s", status, body)
	}
}

// TestServeRefusals: what cannot run as one of several processes says so in one line.
func TestServeRefusals(t *testing.T) {
	besideOthers(t)
	s, all := divide(t, "keeper,collector")
	folder := filepath.Join(s.dir, "certificates", "keeper,collector")
	serve := func(roles, certificate string, more ...string) outcome {
		args := append([]string{"serve", "--roles", roles, "--data", filepath.Join(s.dir, fmt.Sprintf("d%d", time.Now().UnixNano())), "--listen", "127.0.0.1:0", "--certificate", certificate}, s.engines...)
		return command(t, nil, append(args, more...)...)
	}
	foreign := filepath.Join(s.dir, "foreign")
	if o := command(t, nil, "certificates", "create", "timeline", "--data", filepath.Join(s.dir, "elsewhere"), "--out", foreign); o.code != 0 {
		t.Fatal(o.stderr)
	}
	expired := filepath.Join(s.dir, "expired")
	if o := command(t, nil, "certificates", "create", "timeline", "--data", filepath.Join(s.dir, "keeper"), "--out", expired, "--for", "1ms"); o.code != 0 {
		t.Fatal(o.stderr)
	}
	for name, c := range map[string]struct {
		outcome
		code int
		want string
	}{
		"a role that is none":            {serve("keepr", folder), 2, `there is no role "keepr"`},
		"a certificate for other roles":  {serve("timeline", folder), 1, "is for collector,keeper, not for timeline"},
		"an expired certificate":         {serve("timeline", expired), 1, "expired at"},
		"a foreign certificate":          {serve("timeline", foreign), 1, "another authority"},
		"no advertised address":          {serve("keeper", folder, "--rpc", "0.0.0.0:0"), 2, "--advertise HOST:PORT"},
		"a second keeper, with its keys": {serve("keeper", folder), 1, "keeper"},
		"another number of partitions":   {serve("collector", folder, "--partitions", "7"), 1, "'dossier partitions 7'"},
		"an impossible number of them":   {serve("collector", folder, "--partitions", "70000"), 2, "from 1 to 1000"},
	} {
		line := strings.TrimSpace(c.stderr)
		last := line[strings.LastIndex(line, "\n")+1:]
		if c.code != c.outcome.code || !strings.Contains(line, c.want) || !strings.HasPrefix(last, "dossier: ") && !strings.HasPrefix(last, "see ") {
			t.Errorf("%s: ended with %d and %q, want %d and one line with %q", name, c.outcome.code, line, c.code, c.want)
		}
	}
	list := command(t, nil, "certificates", "list", "--data", filepath.Join(s.dir, "keeper"))
	if list.code != 0 || !strings.Contains(list.stdout, "expired") || !strings.Contains(list.stdout, "in force") {
		t.Errorf("the list of certificates is %d %q %q", list.code, list.stdout, list.stderr)
	}
	all["keeper,collector"].kill(t)
}
