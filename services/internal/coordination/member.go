package coordination

import (
	"maps"
	"slices"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// member is what one process knows: the state, when it read what by its own clock, and what it holds. It does no I/O and reads no
// clock: every method is told the time. Records that it makes are written by its caller, once.
type member struct {
	instance, address string
	leaseTime         time.Duration
	summaryEvery      int64 // records after which the topic is summarised and cut

	*state         // nil while the topic is cut off and no summary was found
	first    int64 // where the topic began when it was read first
	unread   []offsetRecord
	sequence uint64
	seen     map[string]time.Time    // lease: when its last sign was read
	heard    map[string]time.Time    // instance: when its last sign of life was read
	begun    map[uint64]time.Time    // own claims and signs of life that were not read back yet: when the write began
	held     map[string]*grant       // leases
	roles    map[string]*grant       // roles
	asked    map[string]*claimedOnce // claims under way
}

// grant is what this process may trust, and until when. Its time is zero before a sign was read back.
type grant struct {
	epoch int64
	until time.Time
}

// claimedOnce remembers the first claim that was made after a certain record, since a later one is a copy of it.
type claimedOnce struct {
	after    int64
	sequence uint64
}

type offsetRecord struct {
	offset int64
	*schema.Coordination
}

func newMember(instance, address string, lease time.Duration) *member {
	return &member{
		instance: instance, address: address, leaseTime: lease, summaryEvery: summaryEvery,
		seen: map[string]time.Time{}, heard: map[string]time.Time{}, begun: map[uint64]time.Time{},
		held: map[string]*grant{}, roles: map[string]*grant{}, asked: map[string]*claimedOnce{},
	}
}

// begin starts reading a topic whose first record is at offset first. Nothing is held any more.
func (m *member) begin(first int64) {
	m.first, m.unread, m.state = first, nil, nil
	clear(m.seen)
	clear(m.heard)
	clear(m.begun)
	clear(m.held)
	clear(m.asked)
	maps.DeleteFunc(m.roles, func(_ string, g *grant) bool { return !g.until.IsZero() })
	if first == 0 {
		m.state = newState()
	}
}

// trust is how long a claim or a sign of life may be relied on, from before its write began.
func (m *member) trust() time.Duration { return m.leaseTime - m.leaseTime/10 }

// fold takes the record at an offset, read now.
func (m *member) fold(r *schema.Coordination, offset int64, now time.Time) {
	m.expire(now)
	if m.state == nil {
		m.unread = append(m.unread, offsetRecord{offset, r})
		if r.Kind != schema.CoordinationState || r.State == nil || r.State.Next < m.first {
			return
		}
		m.state = restore(r.State)
		for name := range m.leases {
			m.seen[name] = now
		}
		for instance := range m.instances {
			m.heard[instance] = now
		}
		for _, r := range m.unread {
			if r.offset >= m.next {
				m.apply(r.Coordination, r.offset, now)
			}
		}
		m.unread = nil
		return
	}
	m.apply(r, offset, now)
}

func (m *member) apply(r *schema.Coordination, offset int64, now time.Time) {
	signed := m.state.apply(r, offset)
	for _, name := range signed {
		m.seen[name] = now
		if g := m.held[name]; g != nil && (!m.leases[name].Held || m.leases[name].Epoch != g.epoch) {
			delete(m.held, name)
		}
	}
	switch r.Kind {
	case schema.CoordinationSeen:
		m.heard[r.Instance] = now
	case schema.CoordinationState: // a time as good as any to forget the dead
		for instance := range m.heard {
			if m.gone(instance, now) {
				delete(m.instances, instance)
				delete(m.heard, instance)
			}
		}
	}
	begun, own := m.begun[r.Sequence]
	if r.Instance != m.instance || !own {
		return
	}
	until := begun.Add(m.trust())
	switch r.Kind {
	case schema.CoordinationClaimed:
		delete(m.begun, r.Sequence)
		if asked := m.asked[r.Lease]; len(signed) > 0 && asked != nil && now.Before(until) {
			m.held[r.Lease] = &grant{epoch: offset, until: until}
		}
		delete(m.asked, r.Lease)
	case schema.CoordinationSeen:
		for sequence := range m.begun {
			if sequence <= r.Sequence && !m.claiming(sequence) {
				delete(m.begun, sequence)
			}
		}
		for _, name := range signed {
			if g := m.held[name]; g != nil && g.until.Before(until) {
				g.until = until
			}
		}
		for _, role := range r.Roles {
			if g := m.roles[role]; g != nil && g.until.Before(until) && now.Before(until) {
				g.epoch, g.until = m.instances[m.instance].Roles[role], until
			}
		}
	}
}

func (m *member) claiming(sequence uint64) bool {
	for _, asked := range m.asked {
		if asked.sequence == sequence {
			return true
		}
	}
	return false
}

// expire gives up what may no longer be trusted. A lease that lapsed does not come back by a late sign: it is claimed anew.
func (m *member) expire(now time.Time) {
	for name, g := range m.held {
		if !now.Before(g.until) {
			delete(m.held, name)
		}
	}
	for role, g := range m.roles {
		if !g.until.IsZero() && !now.Before(g.until) {
			delete(m.roles, role)
		}
	}
}

// claimable says when the lease may be claimed, as far as is known now.
func (m *member) claimable(name string) time.Time {
	if m.state == nil {
		return farAway
	}
	lease := m.leases[name]
	if lease == nil || !lease.Held || lease.Instance == m.instance {
		return time.Time{} // of an own former lease nothing is trusted any more
	}
	return m.seen[name].Add(leaseTime(lease.LeaseMillis))
}

var farAway = time.Unix(1<<40, 0)

// claim makes the record that takes a lease, if it may be claimed now.
func (m *member) claim(name string, now time.Time) (*schema.Coordination, bool) {
	m.expire(now)
	if m.held[name] != nil || now.Before(m.claimable(name)) {
		return nil, false
	}
	after := int64(-1)
	if lease := m.leases[name]; lease != nil {
		after = lease.Sign
	}
	asked := m.asked[name]
	if asked == nil || asked.after != after {
		m.forget(name)
		asked = &claimedOnce{after: after, sequence: m.number()}
		m.asked[name] = asked
		m.begun[asked.sequence] = now
	}
	r := m.record(schema.CoordinationClaimed, asked.sequence)
	r.Lease, r.After, r.Address, r.LeaseMillis = name, after, m.address, m.leaseTime.Milliseconds()
	return r, true
}

// forget drops a claim that nobody waits for any more. If it counts all the same, the lease lapses by itself.
func (m *member) forget(name string) {
	if asked := m.asked[name]; asked != nil {
		delete(m.begun, asked.sequence)
		delete(m.asked, name)
	}
}

// sign makes the next sign of life, if there is anything to renew.
func (m *member) sign(now time.Time) (*schema.Coordination, bool) {
	m.expire(now)
	if m.state == nil || len(m.held) == 0 && len(m.roles) == 0 && m.instances[m.instance] == nil {
		return nil, false
	}
	r := m.record(schema.CoordinationSeen, m.number())
	m.begun[r.Sequence] = now
	r.Address, r.LeaseMillis = m.address, m.leaseTime.Milliseconds()
	if len(m.held) > 0 {
		r.Leases = map[string]int64{}
	}
	for name, g := range m.held {
		r.Leases[name] = g.epoch
	}
	r.Roles = slices.Sorted(maps.Keys(m.roles))
	return r, true
}

// release makes the record that gives up a lease, and trusts it no longer.
func (m *member) release(name string, epoch int64) *schema.Coordination {
	if g := m.held[name]; g != nil && g.epoch == epoch {
		delete(m.held, name)
	}
	r := m.record(schema.CoordinationReleased, m.number())
	r.Lease, r.Epoch = name, epoch
	return r
}

// note makes a note under a lease.
func (m *member) note(name string, epoch int64, key string, value []byte) *schema.Coordination {
	r := m.record(schema.CoordinationNoted, m.number())
	r.Lease, r.Epoch, r.Key, r.Value = name, epoch, key, value
	return r
}

// noted says whether a note counts: done is true once it, or a later one under its key, was read.
func (m *member) noted(r *schema.Coordination) (done bool) {
	if m.state == nil || m.leases[r.Lease] == nil {
		return false
	}
	last, found := m.leases[r.Lease].Notes[r.Key]
	return found && last.Epoch == r.Epoch && last.Sequence >= r.Sequence
}

// trusted says whether a lease is held now under an epoch.
func (m *member) trusted(name string, epoch int64, now time.Time) bool {
	g := m.held[name]
	return g != nil && g.epoch == epoch && now.Before(g.until)
}

// gone says whether an instance has been silent for its lease time.
func (m *member) gone(instance string, now time.Time) bool {
	seen := m.instances[instance]
	return seen == nil || !now.Before(m.heard[instance].Add(leaseTime(seen.LeaseMillis)))
}

// summaryEvery keeps the topic within a few megabytes.
const summaryEvery = 4000

// summary makes the record that stands for all before it, if it is time for one. share in [0, 1) differs from process to process, so
// that they do not all write one.
func (m *member) summary(now time.Time, share float64) (*schema.Coordination, bool) {
	if m.state == nil || m.next-max(m.state.summary, m.first) < m.summaryEvery+int64(share*float64(m.summaryEvery)/4) {
		return nil, false
	}
	r := m.record(schema.CoordinationState, m.number())
	r.State = m.summarise(func(instance string) bool { return m.gone(instance, now) })
	return r, true
}

func (m *member) number() uint64 {
	m.sequence++
	return m.sequence
}

func (m *member) record(kind schema.CoordinationKind, sequence uint64) *schema.Coordination {
	return &schema.Coordination{Kind: kind, Instance: m.instance, Sequence: sequence}
}
