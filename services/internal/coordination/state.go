package coordination

import (
	"maps"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// state is the topic as folded up to next: the same on every machine that has read as far.
type state struct {
	next      int64 // the offset after the last record
	leases    map[string]*schema.CoordinationLease
	instances map[string]*schema.CoordinationInstance
	summary   int64 // offset of the last summary, −1 for none
}

func newState() *state {
	return &state{leases: map[string]*schema.CoordinationLease{}, instances: map[string]*schema.CoordinationInstance{}, summary: -1}
}

// apply folds one record. It gives the leases for which the record counted as a sign.
func (s *state) apply(r *schema.Coordination, offset int64) (signed []string) {
	s.next = offset + 1
	lease := s.leases[r.Lease]
	switch r.Kind {
	case schema.CoordinationClaimed:
		after := int64(-1)
		if lease != nil {
			after = lease.Sign
		}
		if r.After != after || r.Lease == "" {
			return nil // somebody was faster, or the owner has renewed
		}
		claimed := &schema.CoordinationLease{
			Epoch: offset, Held: true, Instance: r.Instance, Address: r.Address, LeaseMillis: r.LeaseMillis, Sign: offset,
		}
		if lease != nil {
			claimed.Notes = lease.Notes
		}
		s.leases[r.Lease] = claimed
		return []string{r.Lease}
	case schema.CoordinationReleased:
		if !current(lease, r, r.Epoch) {
			return nil
		}
		lease.Held, lease.Sign = false, offset
		return []string{r.Lease}
	case schema.CoordinationNoted:
		if !current(lease, r, r.Epoch) {
			return nil
		}
		if last, found := lease.Notes[r.Key]; found && last.Epoch == r.Epoch && last.Sequence >= r.Sequence {
			return nil // a late copy
		}
		if lease.Notes == nil {
			lease.Notes = map[string]schema.CoordinationNote{}
		}
		lease.Notes[r.Key] = schema.CoordinationNote{Epoch: r.Epoch, Sequence: r.Sequence, Value: r.Value}
	case schema.CoordinationSeen:
		for name, epoch := range r.Leases {
			if lease := s.leases[name]; current(lease, r, epoch) {
				lease.Sign = offset
				signed = append(signed, name)
			}
		}
		s.see(r, offset)
	case schema.CoordinationState:
		s.summary = offset
	}
	return signed
}

// current says whether the writer of a record owns the lease under that epoch.
func current(lease *schema.CoordinationLease, r *schema.Coordination, epoch int64) bool {
	return lease != nil && lease.Held && lease.Epoch == epoch && lease.Instance == r.Instance
}

// see notes that an instance is alive, and since when it offers its roles.
func (s *state) see(r *schema.Coordination, offset int64) {
	before := s.instances[r.Instance]
	if len(r.Roles) == 0 {
		delete(s.instances, r.Instance)
		return
	}
	seen := &schema.CoordinationInstance{Address: r.Address, LeaseMillis: r.LeaseMillis, Sign: offset, Roles: map[string]int64{}}
	for _, role := range r.Roles {
		seen.Roles[role] = offset
		if before != nil {
			if since, found := before.Roles[role]; found {
				seen.Roles[role] = since
			}
		}
	}
	s.instances[r.Instance] = seen
}

// summarise gives what the state amounts to, without the instances that gone names.
func (s *state) summarise(gone func(instance string) bool) *schema.CoordinationSummary {
	sum := &schema.CoordinationSummary{Next: s.next, Leases: map[string]schema.CoordinationLease{}, Instances: map[string]schema.CoordinationInstance{}}
	for name, lease := range s.leases {
		sum.Leases[name] = *lease
	}
	for instance, seen := range s.instances {
		if !gone(instance) {
			sum.Instances[instance] = *seen
		}
	}
	return sum
}

// restore makes the state that a summary stands for.
func restore(sum *schema.CoordinationSummary) *state {
	s := newState()
	s.next = sum.Next
	for name, lease := range sum.Leases {
		lease.Notes = maps.Clone(lease.Notes)
		s.leases[name] = &lease
	}
	for instance, seen := range sum.Instances {
		seen.Roles = maps.Clone(seen.Roles)
		s.instances[instance] = &seen
	}
	return s
}

func leaseTime(millis int64) time.Duration { return time.Duration(millis) * time.Millisecond }
