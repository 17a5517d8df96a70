package broker_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// BenchmarkCrashStart starts a broker on a log of 96 MB that was not closed: check, engine's replay, memory given back.
func BenchmarkCrashStart(b *testing.B) {
	dir := b.TempDir()
	cfg := broker.Config{Dir: filepath.Join(dir, "log"), Topics: []schema.Topic{{Name: "events", Partitions: 4}}}
	first, err := broker.Start(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	c, err := kafka.Open(b.Context(), kafka.Config{Brokers: []string{first.Addr()}})
	if err != nil {
		b.Fatal(err)
	}
	messages := make([]kafka.Message, 800)
	for i := range messages {
		messages[i] = kafka.Message{Key: make([]byte, 16), Value: make([]byte, 500)}
	}
	for i := range 230 {
		if _, err := c.Produce(b.Context(), "events", int32(i%4), messages, time.UnixMilli(int64(i))); err != nil {
			b.Fatal(err)
		}
	}
	crashed := filepath.Join(dir, "crashed")
	if err := os.CopyFS(crashed, os.DirFS(cfg.Dir)); err != nil {
		b.Fatal(err)
	}
	c.Close()
	first.Close()
	for b.Loop() {
		b.StopTimer()
		one := filepath.Join(dir, "one")
		if err := os.RemoveAll(one); err != nil {
			b.Fatal(err)
		}
		if err := os.CopyFS(one, os.DirFS(crashed)); err != nil {
			b.Fatal(err)
		}
		cfg.Dir = one
		b.StartTimer()
		started, err := broker.Start(b.Context(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		b.ReportMetric(float64(started.Found().Bytes)/1e6, "MB")
		b.ReportMetric(float64(residentBytes(b))/1e6, "MB-resident")
		started.Close()
		b.StartTimer()
	}
}

func residentBytes(b *testing.B) int64 {
	status, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("no /proc to read the resident size from")
	}
	pages, err := strconv.ParseInt(strings.Fields(string(status))[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
