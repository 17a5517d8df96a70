package coordination

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/dossier-cdp/dossier/schema"
)

// sim is a topic, processes with clocks of their own, and a network that loses, delays and repeats what they write. It knows the real
// time, which none of them does.
type sim struct {
	t      *rapid.T
	r      *rand.Rand
	now    time.Duration // real
	first  int64
	log    []*schema.Coordination // log[0] is at offset first
	writes []lateWrite
	nodes  []*node
	born   int
	rough  bool
	claims int
	cuts   int
	full   *state // who reads everything
}

type lateWrite struct {
	at      time.Duration
	record  *schema.Coordination
	deletes int64 // the log is cut here once it is written; 0: it is not
}

// node is one process.
type node struct {
	*member
	rate   float64
	offset time.Duration
	cursor int64
	paused time.Duration // until then
	signed time.Duration
	claims time.Duration
	noted  *schema.Coordination
}

const simLease = 1000 * time.Millisecond

var simNames = []string{"a", "b"}

func newSim(t *rapid.T, seed uint64) *sim {
	s := &sim{t: t, r: rand.New(rand.NewPCG(seed, 1)), full: newState(), rough: true}
	for range 2 + s.r.IntN(3) {
		s.nodes = append(s.nodes, s.birth())
	}
	return s
}

func (s *sim) birth() *node {
	s.born++
	n := &node{
		member: newMember(fmt.Sprintf("instance-%d", s.born), "", simLease),
		rate:   .96 + .08*s.r.Float64(), offset: time.Duration(s.r.Int64N(int64(time.Hour))), cursor: s.first,
	}
	n.summaryEvery = 60
	n.begin(s.first)
	if s.r.IntN(2) == 0 {
		n.roles["r"] = &grant{}
	}
	return n
}

// clock is what a process reads.
func (s *sim) clock(n *node) time.Time {
	return time.Unix(0, 0).Add(n.offset + time.Duration(float64(s.now)*n.rate))
}

// send gives a record to the network.
func (s *sim) send(r *schema.Coordination, deletes int64) {
	delay := func() time.Duration { return time.Duration(s.r.Int64N(int64(30 * time.Millisecond))) }
	if s.rough {
		switch s.r.IntN(10) {
		case 0:
			return // lost
		case 1: // very late
			s.writes = append(s.writes, lateWrite{s.now + time.Duration(s.r.Int64N(int64(4*simLease))), r, 0})
			return
		case 2: // twice, once very late
			s.writes = append(s.writes, lateWrite{s.now + time.Duration(s.r.Int64N(int64(4*simLease))), r, 0})
		}
	}
	s.writes = append(s.writes, lateWrite{s.now + delay(), r, deletes})
}

// write appends what has arrived.
func (s *sim) write() {
	rest := s.writes[:0]
	for _, w := range s.writes {
		if w.at > s.now {
			rest = append(rest, w)
			continue
		}
		offset := s.first + int64(len(s.log))
		encoded, err := w.record.Encode()
		if err != nil {
			s.t.Fatal(err)
		}
		r, err := schema.ParseCoordination(encoded)
		if err != nil {
			s.t.Fatal(err)
		}
		s.log = append(s.log, r)
		s.observe(r, offset)
		if w.deletes > s.first {
			s.log = s.log[w.deletes-s.first:]
			s.first = w.deletes
			s.cuts++
		}
	}
	s.writes = rest
}

// observe checks what the record amounts to, for one who reads everything at once.
func (s *sim) observe(r *schema.Coordination, offset int64) {
	before := map[string]int64{}
	for name, lease := range s.full.leases {
		before[name] = lease.Epoch
		if note, found := lease.Notes["k"]; found {
			before[name+"/k"] = note.Epoch<<20 + int64(note.Sequence)
		}
	}
	s.full.apply(r, offset)
	for name, lease := range s.full.leases {
		if lease.Epoch < before[name] {
			s.t.Fatalf("the epoch of %s went from %d back to %d", name, before[name], lease.Epoch)
		}
		if old, found := before[name]; (!found || lease.Epoch != old) && lease.Held {
			s.claims++
		}
		if note, found := lease.Notes["k"]; found {
			if now := note.Epoch<<20 + int64(note.Sequence); now < before[name+"/k"] {
				s.t.Fatalf("a note of epoch %d, sequence %d counts after a newer one", note.Epoch, note.Sequence)
			}
			if r.Kind == schema.CoordinationNoted && r.Lease == name && note.Epoch == r.Epoch && note.Epoch != lease.Epoch && before[name+"/k"] != note.Epoch<<20+int64(note.Sequence) {
				s.t.Fatalf("a note of epoch %d counts in epoch %d", note.Epoch, lease.Epoch)
			}
		}
	}
}

// act lets one process do what it can.
func (s *sim) act(n *node) {
	if n.paused > s.now {
		return
	}
	if n.cursor < s.first { // cut off while it was away
		n.cursor = s.first
		n.begin(s.first)
	}
	for reads := s.r.IntN(8); reads > 0 && n.cursor < s.first+int64(len(s.log)); reads-- {
		n.fold(s.log[n.cursor-s.first], n.cursor, s.clock(n))
		n.cursor++
	}
	now := s.clock(n)
	for _, name := range simNames {
		if s.now < n.claims {
			break
		}
		if r, ok := n.claim(name, now); ok {
			s.send(r, 0)
			n.claims = s.now + 50*time.Millisecond
		}
	}
	if s.now >= n.signed+simLease/5 {
		if r, ok := n.sign(now); ok {
			s.send(r, 0)
		}
		n.signed = s.now
	}
	for name, g := range n.held {
		if s.r.IntN(10) == 0 {
			n.noted = n.note(name, g.epoch, "k", []byte{1})
			s.send(n.noted, 0)
		}
		if s.rough && s.r.IntN(400) == 0 {
			s.send(n.release(name, g.epoch), 0)
		}
	}
	if n.noted != nil && s.r.IntN(20) == 0 {
		s.send(n.noted, 0) // again, perhaps long after
	}
	if r, ok := n.summary(now, s.r.Float64()); ok {
		s.send(r, r.State.Next)
	}
}

// step lets some time pass.
func (s *sim) step() {
	s.now += time.Duration(1 + s.r.Int64N(int64(10*time.Millisecond)))
	s.write()
	for i, n := range s.nodes {
		s.act(n)
		if !s.rough {
			continue
		}
		switch s.r.IntN(600) {
		case 0, 1: // paused; its clock goes on
			n.paused = s.now + time.Duration(s.r.Int64N(int64(3*simLease)))
		case 2: // killed
			s.nodes[i] = s.birth()
		}
	}
	s.check()
}

// check is the law: at no instant two processes trust one lease, be they paused or not.
func (s *sim) check() {
	for _, name := range simNames {
		owner := ""
		for _, n := range s.nodes {
			g := n.held[name]
			if g == nil || !n.trusted(name, g.epoch, s.clock(n)) {
				continue
			}
			if owner != "" {
				s.t.Fatalf("at %v both %s and %s trust the lease %s", s.now, owner, n.instance, name)
			}
			owner = n.instance
		}
	}
}

func TestNeverTwoOwners(t *testing.T) {
	claims, cuts := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s := newSim(t, rapid.Uint64().Draw(t, "seed"))
		for range 3000 {
			s.step()
		}
		claims += s.claims
		cuts += s.cuts
		// When all is well again, somebody holds each lease, and everybody knows who.
		s.rough = false
		for _, n := range s.nodes {
			n.paused = 0
		}
		for until := s.now + 4*simLease; s.now < until || len(s.writes) > 20; {
			s.step()
		}
		for _, name := range simNames {
			owners := 0
			for _, n := range s.nodes {
				if n.held[name] != nil {
					owners++
				}
			}
			if owners != 1 {
				t.Fatalf("%d processes hold %s after %v without trouble", owners, name, 4*simLease)
			}
		}
		// Whoever reads only what the cut has left knows the same as who has read everything.
		late := newMember("late", "", simLease)
		late.begin(s.first)
		for i, r := range s.log {
			late.fold(r, s.first+int64(i), time.Unix(0, 0))
		}
		if late.state == nil || !reflect.DeepEqual(late.leases, s.full.leases) {
			t.Fatal("a reader of the cut topic knows other leases than one who has read everything")
		}
		for _, n := range s.nodes {
			if n.roles["r"] != nil && late.instances[n.instance] == nil {
				t.Fatalf("a reader of the cut topic does not know %s", n.instance)
			}
		}
	})
	if claims == 0 || cuts == 0 {
		t.Fatalf("%d claims and %d cuts prove nothing", claims, cuts)
	}
	t.Logf("%d claims, %d cuts", claims, cuts)
}

// TestTwoClaims writes two claims after the same record: the first one in the log counts, on every machine.
func TestTwoClaims(t *testing.T) {
	now := time.Unix(100, 0)
	a, b := newMember("a", "", time.Second), newMember("b", "", time.Second)
	a.begin(0)
	b.begin(0)
	claimA, okA := a.claim("x", now)
	claimB, okB := b.claim("x", now)
	if !okA || !okB {
		t.Fatal("a free lease cannot be claimed")
	}
	for offset, r := range []*schema.Coordination{claimB, claimA, claimB} {
		a.fold(r, int64(offset), now)
		b.fold(r, int64(offset), now)
	}
	if a.trusted("x", 1, now) || !b.trusted("x", 0, now) {
		t.Error("not the first claim counts")
	}
	if _, may := a.claim("x", now.Add(time.Second-1)); may {
		t.Error("a held lease may be claimed before a lease time has passed")
	}
	if _, may := a.claim("x", now.Add(time.Second)); !may {
		t.Error("a held lease cannot be claimed after a lease time of silence")
	}
	if b.trusted("x", 0, now.Add(900*time.Millisecond)) {
		t.Error("an owner trusts its lease for longer than nine tenths of a lease time")
	}
}

// TestLateSign reads an own sign of life back after the lease has lapsed: it does not come back to life.
func TestLateSign(t *testing.T) {
	now := time.Unix(100, 0)
	a := newMember("a", "", time.Second)
	a.begin(0)
	claim, _ := a.claim("x", now)
	a.fold(claim, 0, now)
	sign, ok := a.sign(now.Add(500 * time.Millisecond))
	if !ok {
		t.Fatal("no sign of life")
	}
	late := now.Add(950 * time.Millisecond)
	if a.trusted("x", 0, late) {
		t.Fatal("trusted for too long")
	}
	a.fold(sign, 1, late)
	if a.trusted("x", 0, late) {
		t.Error("a lapsed lease is trusted again by a late sign")
	}
	again, may := a.claim("x", late)
	if !may || again.After != 1 {
		t.Fatal("a process cannot claim its own lapsed lease")
	}
	a.fold(again, 2, late)
	if !a.trusted("x", 2, late) {
		t.Error("it is not held under a new epoch")
	}
}

// TestNotesOfOldEpochs: only the owner's notes count, in the order in which it made them.
func TestNotesOfOldEpochs(t *testing.T) {
	now := time.Unix(100, 0)
	a, b := newMember("a", "", time.Second), newMember("b", "", time.Second)
	a.begin(0)
	b.begin(0)
	offset := int64(0)
	fold := func(r *schema.Coordination) {
		a.fold(r, offset, now)
		b.fold(r, offset, now)
		offset++
	}
	claim, _ := a.claim("x", now)
	fold(claim)
	first, second, tooLate := a.note("x", 0, "k", []byte("1")), a.note("x", 0, "k", []byte("2")), a.note("x", 0, "k", []byte("3"))
	fold(second)
	fold(first)
	if got := b.leases["x"].Notes["k"].Value; string(got) != "2" {
		t.Errorf("the note is %q after a late copy of an older one", got)
	}
	now = now.Add(2 * time.Second)
	claim, _ = b.claim("x", now)
	fold(claim)
	fold(tooLate)
	if got := b.leases["x"].Notes["k"].Value; string(got) != "2" || a.noted(tooLate) {
		t.Errorf("the note is %q after one of a former owner", got)
	}
	next := b.note("x", b.leases["x"].Epoch, "k", []byte("4"))
	fold(next)
	if got := a.leases["x"].Notes["k"].Value; string(got) != "4" || !b.noted(next) {
		t.Errorf("the note is %q after the next owner's first", got)
	}
}

// TestSummaryGolden pins the stored form: a process of the next release must read it.
func TestSummaryGolden(t *testing.T) {
	now := time.Unix(100, 0)
	a := newMember("a", "127.0.0.1:1", time.Second)
	a.begin(0)
	a.roles["collector"] = &grant{}
	claim, _ := a.claim("x", now)
	a.fold(claim, 0, now)
	sign, _ := a.sign(now)
	a.fold(sign, 1, now)
	a.fold(a.note("x", 0, "k", []byte("v")), 2, now)
	a.summaryEvery = 1
	r, due := a.summary(now, 0)
	if !due {
		t.Fatal("no summary")
	}
	got, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"kind":"state.summarised","instance":"a","sequence":4,"state":{"next":3,` +
		`"leases":{"x":{"epoch":0,"held":true,"instance":"a","address":"127.0.0.1:1","leaseMillis":1000,"sign":1,"notes":{"k":{"epoch":0,"sequence":3,"value":"dg=="}}}},` +
		`"instances":{"a":{"address":"127.0.0.1:1","leaseMillis":1000,"sign":1,"roles":{"collector":1}}}}}`
	if string(got) != want {
		t.Errorf("the summary is\n%s\nwant\n%s", got, want)
	}
	parsed, err := schema.ParseCoordination(got)
	if err != nil {
		t.Fatal(err)
	}
	if s := restore(parsed.State); !reflect.DeepEqual(s.leases, a.leases) || !maps.EqualFunc(s.instances, a.instances, func(x, y *schema.CoordinationInstance) bool { return reflect.DeepEqual(x, y) }) {
		t.Error("a restored summary is not what was summarised")
	}
}
