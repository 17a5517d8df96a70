package segment

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// An audience is who of a segment may be told of to a destination, now: who may be contacted for its purpose on its channel, is not on the suppression
// list and is not held out. It is a segment like any other, so whoever withdraws a consent leaves it as whoever ceases to match does.

// AudienceName is the name of a segment's audience at a destination. No segment that somebody wrote has such a name.
func AudienceName(of, destination string) string { return of + "@" + destination }

// AudienceOf takes the name of an audience apart.
func AudienceOf(name string) (of, destination string, is bool) { return strings.Cut(name, "@") }

// Audience makes a segment's audience. channel "" is any; hold may be nil.
func Audience(of, destination, purpose, channel string, hold *HoldOut) *Segment {
	yes := true
	s := &Segment{Name: AudienceName(of, destination), zone: time.UTC,
		Where:   &Node{All: []*Node{{Segment: of}, {Consent: &Consent{Purpose: purpose, Channel: channel}}}},
		Exclude: &Node{Any: []*Node{{Suppressed: &yes}}}}
	if hold != nil {
		s.Exclude.Any = append(s.Exclude.Any, &Node{HoldOut: hold})
	}
	return s
}

// With adds audiences to a set. Their version is made of what they are, and of the segment that they are of: another definition is another audience.
func (s Set) With(audiences []*Segment) Set {
	out := Set{}
	for name, of := range s {
		out[name] = of
	}
	for _, a := range audiences {
		of := s[a.Where.All[0].Segment]
		if of == nil || of.Archived {
			continue
		}
		copied := *a
		hold := ""
		if len(a.Exclude.Any) > 1 {
			hold = fmt.Sprintf("%q %d", a.Exclude.Any[1].HoldOut.Name, a.Exclude.Any[1].HoldOut.Percent)
		}
		c := a.Where.All[1].Consent
		sum := sha256.Sum256(fmt.Appendf(nil, "%q %s %q %q %s", a.Name, of.Version, c.Purpose, c.Channel, hold))
		copied.Version = hex.EncodeToString(sum[:])
		out[a.Name] = &copied
	}
	return out
}
