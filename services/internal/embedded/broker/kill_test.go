package broker_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

const childFolder = "DOSSIER_TEST_BROKER_FOLDER"

// TestMain makes this binary the process that TestKill kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		if err := writeForEver(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

var killed = schema.Topic{Name: "events", Partitions: 3}

// writeForEver writes numbered records from several callers and prints the first number of each submit once it is acknowledged.
func writeForEver(dir string) error {
	ctx := context.Background()
	b, err := broker.Start(ctx, broker.Config{Dir: dir, Topics: []schema.Topic{killed}, SyncWrites: true, SegmentBytes: 200_000})
	if err != nil {
		return err
	}
	c, err := kafka.Open(ctx, kafka.Config{Brokers: []string{b.Addr()}})
	if err != nil {
		return err
	}
	batcher := kafka.NewBatcher(c, killed.Name, killed.Partitions, kafka.BatcherConfig{MaxRecords: 150})
	var group sync.WaitGroup
	var printing sync.Mutex
	start := time.Now().UnixNano()
	for caller := range 8 {
		group.Go(func() {
			for n := uint64(start) + uint64(caller)<<40; ; n += submitSize {
				if err := batcher.Submit(ctx, numbered(n)); err != nil {
					continue
				}
				printing.Lock()
				fmt.Println(n)
				printing.Unlock()
			}
		})
	}
	group.Wait()
	return nil
}

const submitSize = 50

func numbered(from uint64) []kafka.Message {
	messages := make([]kafka.Message, submitSize)
	for i := range messages {
		b := binary.BigEndian.AppendUint64(nil, from+uint64(i))
		messages[i] = kafka.Message{Key: b[4:], Value: append(b, make([]byte, 300)...)}
	}
	return messages
}

// TestKill kills the process that writes, at any moment, again and again over the same folder: every acknowledged record is
// there, once, and offsets have no gap. With DOSSIER_PROVE=1 it does so ten times.
func TestKill(t *testing.T) {
	rounds := 3
	if os.Getenv("DOSSIER_PROVE") == "1" {
		rounds = 10
	}
	dir := t.TempDir()
	acknowledged := map[uint64]bool{}
	for round := range rounds {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), childFolder+"="+dir)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			var first uint64
			if _, err := fmt.Sscan(lines.Text(), &first); err != nil {
				break // cut off by the kill
			}
			acknowledged[first] = true
			if n == 200+37*round {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := child.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}

		b, err := broker.Start(t.Context(), broker.Config{Dir: dir, Topics: []schema.Topic{killed}, SyncWrites: true})
		if err != nil {
			t.Fatal(err)
		}
		c, err := kafka.Open(t.Context(), kafka.Config{Brokers: []string{b.Addr()}})
		if err != nil {
			t.Fatal(err)
		}
		found := everything(t, c)
		for first := range acknowledged {
			for n := first; n < first+submitSize; n++ {
				if found[n] != 1 {
					t.Fatalf("round %d: record %d was acknowledged and is in the log %d times", round, n, found[n])
				}
			}
		}
		c.Close()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(acknowledged) < 200*rounds {
		t.Fatalf("only %d submits were acknowledged", len(acknowledged))
	}
}

// everything counts each record of the log.
func everything(t *testing.T, c *kafka.Client) map[uint64]int {
	t.Helper()
	ranges, err := c.Offsets(t.Context(), killed.Name)
	if err != nil {
		t.Fatal(err)
	}
	found := map[uint64]int{}
	for p, r := range ranges {
		for at := int64(0); at < r.Next; {
			f, err := c.Fetch(t.Context(), killed.Name, int32(p), at, 1<<20, 0)
			if err != nil {
				t.Fatal(err)
			}
			for i := range f.Records {
				if f.Records[i].Offset != at+int64(i) {
					t.Fatalf("partition %d: offset %d where %d was expected", p, f.Records[i].Offset, at+int64(i))
				}
				found[binary.BigEndian.Uint64(f.Records[i].Value)]++
			}
			at = f.Next
		}
	}
	return found
}
