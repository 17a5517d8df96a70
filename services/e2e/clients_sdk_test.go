package e2e

import (
	"bytes"
	"context"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	rudder "github.com/rudderlabs/analytics-go/v4"
)

// installedIn checks that a folder's packages and some programs are there, which `make test-tools` installs. Without them the test is
// skipped, except under CI.
func installedIn(t *testing.T, folder string, programs ...string) {
	t.Helper()
	missing := ""
	if _, err := os.Stat(filepath.Join(folder, "node_modules")); err != nil && folder != "" {
		missing = "the packages of services/e2e/" + folder + " are not installed: run make test-tools"
	}
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			missing = program + " is missing: run make test-tools"
		}
	}
	switch {
	case missing == "":
	case os.Getenv("CI") != "":
		t.Fatal(missing)
	default:
		t.Skip(missing)
	}
}

// runIn runs a program in a folder and gives what it wrote to stdout; it must end with 0.
func runIn(t *testing.T, folder, program string, args ...string) []byte {
	t.Helper()
	return runWith(t, nil, folder, program, args...)
}

// runWith is runIn with variables beside those of the environment.
func runWith(t *testing.T, variables []string, folder, program string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = folder, append(os.Environ(), variables...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v: %s%s", program, args, err, out, &stderr)
	}
	return out
}

const sdks = "testdata/sdks"

// TestServerSDKs: RudderStack's and Customer.io's SDKs for Node, unmodified, before a collector that fails at first. Everything is sent
// twice; each event is in the right person's dossier once.
func TestServerSDKs(t *testing.T) {
	besideOthers(t)
	installedIn(t, sdks, "node")
	i := install(t)
	for _, sdk := range []struct{ script, prefix string }{{"rudderstack.mjs", "rudder"}, {"customerio.mjs", "cio"}} {
		t.Run(sdk.script, func(t *testing.T) {
			address, requests := faulty(t, i, 3)
			for range 2 {
				runIn(t, sdks, "node", sdk.script, address, i.WriteKey)
			}
			if requests.Load() < 5 {
				t.Errorf("%d requests: nothing was tried again", requests.Load())
			}
			i.wait(t)
			got := i.contacts(t, sdk.prefix+"-1")
			want := []string{"group.joined", "identity.aliased", "order.placed Order Completed", "page.viewed Cart", "page.viewed Où êtes-vous ? 🎁", "profile.identified"}
			if !slices.Equal(names(got), want) {
				t.Errorf("got %v, want %v", names(got), want)
			}
			for _, c := range got {
				if c.OccurredAt != "2026-02-03T04:05:06.789Z" {
					t.Errorf("%s occurred at %s", c.Type, c.OccurredAt)
				}
				if c.Type == "order.placed" && (c.Entity != sdk.prefix+"-o1" || c.Amount != "12.5") {
					t.Errorf("%+v", c)
				}
			}
			if owner := i.owner(t, "email", sdk.prefix+"@example.com"); owner == "" || owner != i.owner(t, "anonymous_id", sdk.prefix+"-a1") {
				t.Errorf("the e-mail is of %q, the device of %q", owner, i.owner(t, "anonymous_id", sdk.prefix+"-a1"))
			}
		})
	}
}

// rudderOutcomes hears what became of each message.
type rudderOutcomes chan error

func (c rudderOutcomes) Success(rudder.Message)              { c <- nil }
func (c rudderOutcomes) Failure(_ rudder.Message, err error) { c <- err }

// TestRudderStackGo: RudderStack's SDK for Go, unmodified, before a collector that fails at first.
func TestRudderStackGo(t *testing.T) {
	besideOthers(t)
	i := install(t)
	address, requests := faulty(t, i, 3)
	heard := make(rudderOutcomes, 8)
	sdk, err := rudder.NewWithConfig(i.WriteKey, rudder.Config{
		DataPlaneUrl: address, BatchSize: 4, Callback: heard, Logger: rudder.StdLogger(log.New(io.Discard, "", 0)),
		RetryAfter: func(int) time.Duration { return 10 * time.Millisecond },
	})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 2, 3, 4, 5, 6, 789012345, time.UTC)
	// Without an anonymous id this SDK makes one up for each message, and two messages that differ are two events.
	order := rudder.Track{UserId: "rgo-1", AnonymousId: "rgo-a1", MessageId: "rgo-t1", OriginalTimestamp: at, Event: "Order Completed", Properties: rudder.NewProperties().SetOrderId("rgo-o1").SetRevenue(12.5).SetCurrency("EUR")}
	for _, m := range []rudder.Message{
		rudder.Page{AnonymousId: "rgo-a1", MessageId: "rgo-p1", OriginalTimestamp: at, Name: "Home"},
		rudder.Identify{UserId: "rgo-1", AnonymousId: "rgo-a1", MessageId: "rgo-i1", OriginalTimestamp: at, Traits: rudder.NewTraits().SetEmail("rgo@example.com").SetFirstName("Ann")},
		order, order,
	} {
		if err := sdk.Enqueue(m); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		if err := <-heard; err != nil {
			t.Fatal(err)
		}
	}
	if err := sdk.Close(); err != nil {
		t.Fatal(err)
	}
	if requests.Load() < 4 {
		t.Errorf("%d requests: nothing was tried again", requests.Load())
	}
	i.wait(t)
	got := i.contacts(t, "rgo-1")
	if want := []string{"order.placed Order Completed", "page.viewed Home", "profile.identified"}; !slices.Equal(names(got), want) {
		t.Errorf("got %v, want %v", names(got), want)
	}
	for _, c := range got {
		if c.OccurredAt != "2026-02-03T04:05:06.789Z" && c.OccurredAt != "2026-02-03T04:05:06.789012Z" {
			t.Errorf("%s occurred at %s", c.Type, c.OccurredAt)
		}
	}
}
