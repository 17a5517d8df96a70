package archive_test

import (
	"context"
	"encoding/binary"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// maxLog is what the log may hold on disk, all topics together.
const maxLog = 96_000_000

// TestLogStaysSmall writes faster than any event source, and the log on disk stays within its bound, so that a crash restart reads
// little; the sequence is whole afterwards. With DOSSIER_PROVE=1 it writes 5 million records.
func TestLogStaysSmall(t *testing.T) {
	records := 120_000
	if os.Getenv("DOSSIER_PROVE") == "1" {
		records = 5_000_000
	}
	ctx := t.Context()
	root := t.TempDir()
	dir := filepath.Join(root, "log")
	b, err := broker.Start(ctx, broker.Config{Dir: dir, Topics: schema.Topics(), SyncWrites: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { b.Close() }()
	c, err := kafka.Open(ctx, kafka.Config{Brokers: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { c.Close() }()
	store, err := archive.OpenFolder(filepath.Join(root, "archive"))
	if err != nil {
		t.Fatal(err)
	}
	role := archive.New(archive.Config{Source: c, Store: store, Sequences: archive.Sequences(schema.Topics(), 1)})
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- role.Run(running) }()

	batcher := kafka.NewBatcher(c, schema.TopicEvents, schema.DefaultPartitions, kafka.BatcherConfig{})
	var group sync.WaitGroup
	const callers, submit = 8, 100
	finished := make(chan struct{})
	begun := time.Now()
	for caller := range callers {
		group.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(caller)))
			messages := make([]kafka.Message, submit)
			for n := caller * submit; n < records; n += callers * submit {
				for i := range messages {
					v := make([]byte, 0, 504)
					for len(v) < 500 {
						v = binary.LittleEndian.AppendUint64(v, random.Uint64())
					}
					messages[i] = kafka.Message{Key: v[:16], Value: v}
				}
				for err := batcher.Submit(ctx, messages); err != nil; err = batcher.Submit(ctx, messages) {
					wait, ok := kafka.RetryAfter(err)
					if !ok {
						t.Error(err)
						return
					}
					time.Sleep(wait)
				}
			}
		})
	}
	go func() { group.Wait(); close(finished) }()
	largest := int64(0)
	for watching := true; watching; {
		select {
		case <-finished:
			watching = false
		case <-time.After(20 * time.Millisecond):
		}
		largest = max(largest, bytesOf(dir))
	}
	wrote := time.Since(begun)
	if err := batcher.Close(ctx); err != nil {
		t.Fatal(err)
	}
	acknowledged := batcher.Stats().Records
	t.Logf("%d records in %v, the log was at most %d bytes", acknowledged, wrote.Round(time.Millisecond), largest)
	if largest > maxLog {
		t.Errorf("the log had %d bytes on disk, %d are allowed", largest, maxLog)
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}

	// A crash: everything is read through the archive and a log that starts over.
	crashed := filepath.Join(root, "crashed")
	if err := copyFolder(crashed, dir); err != nil {
		t.Fatal(err)
	}
	c.Close()
	b.Close()
	if b, err = broker.Start(ctx, broker.Config{Dir: crashed, Topics: schema.Topics(), SyncWrites: true}); err != nil {
		t.Fatal(err)
	}
	t.Logf("start after a crash: %v for %d bytes", b.StartedIn().Round(time.Millisecond), b.Found().Bytes)
	if c, err = kafka.Open(ctx, kafka.Config{Brokers: []string{b.Addr()}}); err != nil {
		t.Fatal(err)
	}
	log, err := eventlog.Open(ctx, c, store, schema.TopicEvents, 1)
	if err != nil {
		t.Fatal(err)
	}
	ends, err := log.Ends(ctx)
	if err != nil {
		t.Fatal(err)
	}
	begun, cpu := time.Now(), processCPU()
	total := uint64(0)
	for p, end := range ends {
		for at := int64(0); at < end; {
			batch, err := log.Read(ctx, int32(p), at, 0)
			if err != nil {
				t.Fatal(err)
			}
			at = batch.Next
			total += uint64(len(batch.Records))
		}
	}
	t.Logf("read %d records at %.0f/s, %v CPU each", total, float64(total)/time.Since(begun).Seconds(), (processCPU()-cpu)/time.Duration(max(1, total)))
	if total != acknowledged {
		t.Errorf("read %d records, %d were acknowledged", total, acknowledged)
	}
}

func processCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// bytesOf adds up the files under a folder; one that vanishes meanwhile counts nothing.
func bytesOf(dir string) int64 {
	total := int64(0)
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			total += info.Size()
		}
		return nil
	})
	if err != nil {
		return 0
	}
	return total
}
