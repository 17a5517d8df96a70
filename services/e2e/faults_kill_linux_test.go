package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestKilledRoles kills processes of an installation, each with one role, again and again: in random order, each as often as the others, at a
// random moment of a load. After each round nothing is lost, nothing is there twice, and the digest is that of an undisturbed installation.
func TestKilledRoles(t *testing.T) {
	besideOthers(t)
	const size = 200
	rounds := counted(3, 100)
	random := seeded(t)
	stories := newSeries(t, rounds, size)
	roles := []string{"keeper", "archive", "identity", "timeline", "care", "collector", "api"}
	w := wiring(t, roles...)
	i := w.installation(t)
	var table strings.Builder
	fmt.Fprintf(&table, "%5s  %-9s  %8s  %4s  %5s  %-6s  %7s\n", "round", "killed", "accepted", "lost", "twice", "digest", "seconds")
	for round := range rounds {
		if round%len(roles) == 0 {
			random.Shuffle(len(roles), func(a, b int) { roles[a], roles[b] = roles[b], roles[a] })
		}
		role := roles[round%len(roles)]
		begun := time.Now()
		var l load
		l.start(t, i, stories.part(round))
		l.reached(t, random.IntN(size/2))
		w.all[role].kill(t)
		w.begin(t, role)
		l.end(t)
		digest, all := i.digest(t), (round+1)*size
		n := counts(t, digest)
		lost, twice, same := max(0, all-n["events"], all-n["timeline"]), max(0, n["events"]-all, n["timeline"]-all), "equal"
		if digest != stories.digests[round] {
			same = "OTHER"
		}
		fmt.Fprintf(&table, "%5d  %-9s  %8d  %4d  %5d  %-6s  %7.1f\n", round+1, role, all, lost, twice, same, time.Since(begun).Seconds())
		if lost > 0 || twice > 0 || digest != stories.digests[round] {
			t.Errorf("round %d, %s killed: the digest is\n%swant\n%s", round+1, role, digest, stories.digests[round])
			break
		}
	}
	for line := range strings.Lines(table.String()) {
		t.Log(strings.TrimSuffix(line, "\n"))
	}
	i.once(t, rounds*size)
}
