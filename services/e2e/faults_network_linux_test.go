package e2e

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// network is one of a process's own: a network namespace, joined to this machine by a cable that can be pulled. What is sent then is lost in the
// kernel, as between two machines.
type network struct {
	name, outside, inside string // inside: its address; outside: the one at which it finds this machine
	cable                 string
}

// newNetwork makes one, which takes the rights of root. Where it cannot be made TestPartitions is what holds, whose links lose what is sent; a proof
// is skipped then, and so not proven.
func newNetwork(t *testing.T) *network {
	t.Helper()
	k := rand.IntN(1 << 9) // 198.18.0.0/15 is for tests of networks
	tag := fmt.Sprintf("dossier%04x", k)
	n := &network{name: tag, cable: tag + "c"}
	subnet := fmt.Sprintf("198.%d.%d", 18+k>>8, k&0xff)
	n.outside, n.inside = subnet+".1", subnet+".2"
	bridge := tag + "b"
	t.Cleanup(func() {
		exec.Command("ip", "netns", "del", n.name).Run() //nolint:errcheck // it may not have been made
		exec.Command("ip", "link", "del", bridge).Run()  //nolint:errcheck // as above
	})
	for _, line := range []string{
		"netns add " + n.name,
		"link add " + bridge + " type bridge",
		"link add " + n.cable + " type veth peer name eth0 netns " + n.name,
		"link set " + n.cable + " master " + bridge,
		"addr add " + n.outside + "/24 dev " + bridge,
		"link set " + bridge + " up",
		"link set " + n.cable + " up",
		"-n " + n.name + " addr add " + n.inside + "/24 dev eth0",
		"-n " + n.name + " link set lo up",
		"-n " + n.name + " link set eth0 up",
	} {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			why := fmt.Sprintf("a network of its own cannot be made (ip %s: %v %s): it takes ip, and the rights of root", line, err, strings.TrimSpace(string(out)))
			if proving() {
				t.Skip(why)
			}
			t.Log("not run: " + why)
			return nil
		}
	}
	return n
}

// host is the address at which processes of the network listen: of nil, which is this machine's own, loopback.
func (n *network) host() string {
	if n == nil {
		return "127.0.0.1"
	}
	return n.inside
}

// within is a command as it is run in the network.
func (n *network) within(command []string) []string {
	return append([]string{"ip", "netns", "exec", n.name}, command...)
}

// pull takes the cable out, and plug puts it in again.
func (n *network) pull(t *testing.T) { n.set(t, "down") }
func (n *network) plug(t *testing.T) { n.set(t, "up") }

func (n *network) set(t *testing.T, state string) {
	t.Helper()
	if out, err := exec.Command("ip", "link", "set", n.cable, state).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
}

// TestNetworkCut pulls the cable of a process that owns identity, timeline, archive and care, under load: the kernel tells neither side. It finds out that it
// may not be the owner any more, another takes over, and when it is back it changes nothing.
func TestNetworkCut(t *testing.T) {
	besideOthers(t)
	n := newNetwork(t)
	if n == nil {
		return
	}
	stories := newSeries(t, 2, 600)
	s, _ := divide(t)
	s.inside = map[string]*network{trio: n}
	w := wiringOn(t, s, "keeper", "collector,api", trio)
	w.owner(t, "identity", trio)
	w.begin(t, trio+"-2")
	i := w.installation(t)
	stories.during(t, i, 0, "the cable of identity, timeline and archive is pulled", func(f *disturbed) {
		for _, role := range []string{"identity", "timeline", "archive", "care"} {
			w.owner(t, role, trio)
		}
		n.pull(t)
		remains(beyondTheLease, 40*time.Second)
		for _, role := range []string{"identity", "timeline", "archive", "care"} {
			w.owner(t, role, trio+"-2")
		}
		f.goesOn(rate)
		n.plug(t)
		f.goesOn(rate)
		for _, role := range []string{"identity", "timeline", "archive", "care"} {
			w.owner(t, role, trio+"-2") // nothing was taken back
		}
	})
	stories.during(t, i, 1, "the other one is killed soon after the cable is back", func(f *disturbed) {
		w.all[trio+"-2"].kill(t)
		for _, role := range []string{"identity", "timeline", "archive", "care"} {
			w.owner(t, role, trio)
		}
		f.goesOn(rate)
	})
}
