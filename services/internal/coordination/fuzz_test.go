package coordination

import (
	"bytes"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// FuzzFold reads any lines as the records of the topic, whole and cut off: no reader panics, and two readers of the same records know the
// same leases.
func FuzzFold(f *testing.F) {
	f.Add([]byte(`{"kind":"lease.claimed","instance":"a","sequence":1,"lease":"x","after":-1,"leaseMillis":1000}
{"kind":"instance.seen","instance":"a","sequence":2,"leases":{"x":0},"roles":["collector"],"leaseMillis":1000}
{"kind":"lease.noted","instance":"a","sequence":3,"lease":"x","epoch":0,"key":"k","value":"AA=="}
{"kind":"state.summarised","instance":"a","sequence":4,"state":{"next":3,"leases":{"x":{"epoch":0,"held":true,"instance":"a","sign":1}},"instances":{"a":{}}}}
{"kind":"lease.released","instance":"a","sequence":5,"lease":"x","epoch":0}`))
	f.Add([]byte(`{"kind":"state.summarised","instance":"a","state":{"next":9}}
{"kind":"instance.seen","instance":"a","roles":["r"]}`))
	f.Fuzz(func(t *testing.T, topic []byte) {
		now := time.Unix(100, 0)
		whole, again, cut := newMember("a", "", time.Second), newMember("b", "", time.Second), newMember("c", "", time.Second)
		whole.begin(0)
		again.begin(0)
		cut.begin(2)
		for offset, line := range bytes.Split(topic, []byte("\n")) {
			r, err := schema.ParseCoordination(line)
			if err != nil {
				continue
			}
			now = now.Add(100 * time.Millisecond)
			for _, m := range []*member{whole, again, cut} {
				m.fold(r, int64(offset), now)
				m.claim("x", now)
				m.sign(now)
				m.noted(r)
				if m.state != nil {
					m.gone(r.Instance, now)
					m.summary(now, 1)
				}
			}
		}
		for name, lease := range whole.leases {
			if other := again.leases[name]; other == nil || other.Epoch != lease.Epoch || other.Sign != lease.Sign || other.Held != lease.Held {
				t.Errorf("two readers know %+v and %+v of lease %q", lease, other, name)
			}
		}
	})
}
