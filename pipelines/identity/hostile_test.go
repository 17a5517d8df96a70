package identity_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/identity"
)

// TestHostileNames: names of ten thousand characters, of emoji and of nothing, and one name five thousand times: bounded work in the exact strata, and nobody is
// anybody else by them.
func TestHostileNames(t *testing.T) {
	var story strings.Builder
	for i := range 20 {
		long := strings.Repeat(fmt.Sprintf("w%d-", i), 2500)
		fmt.Fprintf(&story, "long%d: crm server crm_id:l%d given:%s family:%s\n", i, i, long, long)
	}
	for i, name := range []string{"😀", "🎉🎉", "👨‍👩‍👧", "❤️", "-", "'", "…"} {
		fmt.Fprintf(&story, "odd%d: crm server crm_id:o%d given:%s family:%s\n", i, i, name, name)
	}
	for i := range 5000 {
		fmt.Fprintf(&story, "same%d: crm server crm_id:s%d given:Jean family:Martin\n", i, i)
	}
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	began := used()
	m, c := told(t, story.String())
	if took := used() - began; took > 10*time.Second {
		t.Errorf("took %s", took)
	}
	together := map[identity.NodeID]string{}
	for label, n := range c.node {
		p, _ := m.Profile(n)
		if other, ok := together[p]; ok {
			t.Errorf("%s and %s are one person", label, other)
		}
		together[p] = label
	}
}
