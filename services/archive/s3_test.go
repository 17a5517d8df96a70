package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/archive/archivetest"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

func TestStores(t *testing.T) {
	t.Run("folder", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "archive")
		archivetest.Store(t, func() archive.Store { return openAt(t, dir) })
	})
	t.Run("s3", func(t *testing.T) {
		g := archivetest.StartGateway(t, bucket)
		g.Credentials(t)
		archivetest.Store(t, func() archive.Store { return openAt(t, g.Location(bucket, "some/where", "")) })
	})
	t.Run("s3 without prefix", func(t *testing.T) {
		g := archivetest.StartGateway(t, bucket)
		g.Credentials(t)
		archivetest.Store(t, func() archive.Store { return openAt(t, g.Location(bucket, "", "")) })
	})
}

func openAt(t testing.TB, location string) archive.Store {
	t.Helper()
	store, err := archive.Open(t.Context(), location, nil)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// What is wrong with a location is said in one line, without the secret.
func TestOpenRefuses(t *testing.T) {
	g := archivetest.StartGateway(t, bucket)
	secrets := func(name string) (string, error) {
		if name == "s3" {
			return archivetest.AccessKey + ":" + archivetest.SecretKey + "\n", nil
		}
		return "", fmt.Errorf("there is no %s", name)
	}
	const wrongSecret = "a-secret-that-is-wrong"
	for name, c := range map[string]struct {
		location       string
		access, secret string
		says           string
		class          schema.ErrorClass
	}{
		"no bucket":          {"s3:///prefix", "a", "b", "names no bucket", schema.Fatal},
		"another scheme":     {"gs://bucket/prefix", "a", "b", "gs://", schema.Fatal},
		"secret in the URL":  {"s3://me:" + wrongSecret + "@bucket/prefix", "", "", "AWS_ACCESS_KEY_ID", schema.Fatal},
		"unknown parameter":  {"s3://bucket/?secretkey=x", "a", "b", `"secretkey"`, schema.Fatal},
		"no credentials":     {"s3://bucket", "", "", "AWS_ACCESS_KEY_ID", schema.Fatal},
		"a trailing newline": {"s3://bucket", "a", wrongSecret + "\n", "newline", schema.Fatal},
		"no such secret":     {"s3://bucket?credentials=secret:other", "", "", "secret:other", schema.Fatal},
		"secret written out": {"s3://bucket?credentials=" + wrongSecret, "", "", "secret:NAME", schema.Fatal},
		"endpoint of what":   {"s3://bucket?endpoint=ftp://host", "a", "b", "https://HOST:PORT", schema.Fatal},
		"missing bucket":     {g.Location("another-bucket", "x", ""), archivetest.AccessKey, archivetest.SecretKey, "another-bucket does not exist", schema.Fatal},
		"wrong secret key":   {g.Location(bucket, "x", ""), archivetest.AccessKey, wrongSecret, "refuses the credentials", schema.Fatal},
		"wrong access key":   {g.Location(bucket, "x", ""), "nobody", wrongSecret, "refuses the credentials", schema.Fatal},
		"nobody there":       {g.Location(bucket, "x", "http://127.0.0.1:1"), "a", "b", "does not answer", schema.Transient},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("AWS_ACCESS_KEY_ID", c.access)
			t.Setenv("AWS_SECRET_ACCESS_KEY", c.secret)
			_, err := archive.Open(t.Context(), c.location, secrets)
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), wrongSecret) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, c.says)
			}
			if schema.ClassOf(err) != c.class {
				t.Errorf("it is %v: %v", schema.ClassOf(err), err)
			}
		})
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	if _, err := archive.Open(t.Context(), g.Location(bucket, "x", "")+"&credentials=secret:s3", secrets); err != nil {
		t.Errorf("credentials by name: %v", err)
	}
}

// Of two writers at one place of a manifest one wins, also when both try at the same moment, and a line once taken stays.
func TestS3TwoWriters(t *testing.T) {
	g := archivetest.StartGateway(t, bucket)
	g.Credentials(t)
	location := g.Location(bucket, "w", "")
	var whole []byte
	for round := range 20 {
		var group sync.WaitGroup
		won := make([]bool, 3)
		for writer := range won {
			store := openAt(t, location)
			line := fmt.Appendf(nil, "round %d writer %d\n", round, writer)
			group.Go(func() {
				err := store.Append(t.Context(), part(0), int64(len(whole)), line)
				won[writer] = err == nil
				if err != nil && schema.ClassOf(err) != schema.Transient {
					t.Errorf("the loser gets %v", err)
				}
			})
		}
		group.Wait()
		winner := -1
		for writer, w := range won {
			if w && winner >= 0 {
				t.Fatalf("round %d: writers %d and %d both won", round, winner, writer)
			}
			if w {
				winner = writer
			}
		}
		if winner < 0 {
			t.Fatalf("round %d: nobody won", round)
		}
		whole = fmt.Appendf(whole, "round %d writer %d\n", round, winner)
		got, err := openAt(t, location).Manifest(t.Context(), part(0), 0)
		if err != nil || !bytes.Equal(got, whole) {
			t.Fatalf("round %d: %q, %v", round, got, err)
		}
	}
}

// A server that goes away in the middle of an upload leaves no half file under a name, and no half line; what was cut is written
// when it is there again.
func TestS3Cut(t *testing.T) {
	g := archivetest.StartGateway(t, bucket)
	g.Credentials(t)
	link := archivetest.StartLink(t, g.URL)
	store := openAt(t, g.Location(bucket, "cut", link.URL))
	direct := openAt(t, g.Location(bucket, "cut", ""))
	file := bytes.Repeat([]byte("half a file is no file. "), 50_000)
	for _, after := range []int64{10, 700, 100_000, 1_000_000} {
		name := fmt.Sprintf("cut%d.segment", after)
		link.CutAfter(after)
		err := store.Put(t.Context(), part(0), name, file)
		if schema.ClassOf(err) != schema.Transient {
			t.Fatalf("cut after %d bytes: %v", after, err)
		}
		g.Kill()
		g.Start()
		if _, err := direct.Get(t.Context(), part(0), name); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("cut after %d bytes, and the name shows: %v", after, err)
		}
		link.Mend()
		if err := store.Put(t.Context(), part(0), name, file); err != nil {
			t.Fatal(err)
		}
		if got, err := direct.Get(t.Context(), part(0), name); err != nil || !bytes.Equal(got, file) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	line := []byte(strings.Repeat("line ", 40_000) + "\n")
	link.CutAfter(100_000)
	if err := store.Append(t.Context(), part(0), 0, line); schema.ClassOf(err) != schema.Transient {
		t.Fatalf("a cut append: %v", err)
	}
	if got, err := direct.Manifest(t.Context(), part(0), 0); err != nil || len(got) != 0 {
		t.Fatalf("a cut append shows: %d bytes, %v", len(got), err)
	}
	link.Mend()
	if err := store.Append(t.Context(), part(0), 0, line); err != nil {
		t.Fatal(err)
	}
}

// A slow server is waited for; one that does not move any more is given up in time.
func TestS3Slow(t *testing.T) {
	g := archivetest.StartGateway(t, bucket)
	g.Credentials(t)
	link := archivetest.StartLink(t, g.URL)
	store, err := archive.OpenS3(t.Context(), archive.S3Config{
		Bucket: bucket, Prefix: "slow", Endpoint: link.URL, PathLookup: true,
		AccessKey: archivetest.AccessKey, SecretKey: archivetest.SecretKey, Patience: 2 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	file := bytes.Repeat([]byte{7}, 1<<20)
	link.Slow(30 * time.Millisecond)
	if err := store.Put(t.Context(), part(0), "slow.segment", file); err != nil {
		t.Fatal(err)
	}
	link.Slow(time.Hour)
	begun := time.Now()
	if err := store.Put(t.Context(), part(0), "stuck.segment", []byte("stuck")); schema.ClassOf(err) != schema.Transient {
		t.Fatalf("a stuck server: %v", err)
	}
	if waited := time.Since(begun); waited > 20*time.Second {
		t.Errorf("a stuck server was waited for %v", waited)
	}
}

// The storage goes away under load and comes back: the role goes on by itself, the log drops nothing meanwhile, and the sequence is
// whole.
func TestS3AwayAndBack(t *testing.T) {
	g := archivetest.StartGateway(t, bucket)
	g.Credentials(t)
	w := newWorld(t, t.TempDir(), onGateway(g))
	defer w.close()
	role := archive.New(archive.Config{
		Source: w.client, Store: w.store, Sequences: archive.Sequences([]schema.Topic{topic}, 1), CutBytes: func(int32) int64 { return 2000 },
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- role.Run(ctx) }()
	waitFor := func(what string, f func() bool) {
		t.Helper()
		for deadline := time.Now().Add(60 * time.Second); !f(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d segments, %d failures", what, role.Metrics().Segments.Load(), role.Metrics().Failures.Load())
			}
		}
	}
	w.produce(0, 200)
	waitFor("archive some", func() bool { return role.Metrics().Segments.Load() > 3 })
	g.Kill()
	w.produce(0, 200)
	w.produce(1, 200)
	waitFor("notice the failure", func() bool { return role.Metrics().Failures.Load() > 0 })
	ranges, err := w.client.Offsets(t.Context(), topic.Name)
	if err != nil {
		t.Fatal(err)
	}
	g.Start()
	if ranges[0].First > 200 || ranges[1].First > 0 {
		t.Errorf("the log dropped what is not archived: %v", ranges)
	}
	before := role.Metrics().Segments.Load()
	waitFor("carry on", func() bool { return role.Metrics().Segments.Load() > before+8 })
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	w.read(0, 0, true)
	w.read(1, 0, true)
	if _, err := archive.Verify(t.Context(), w.store); err != nil {
		t.Fatal(err)
	}
}

// A manifest object that was altered or is missing is named, also one that joins lines.
func TestS3ManifestDamage(t *testing.T) {
	g := archivetest.StartGateway(t, bucket)
	g.Credentials(t)
	location := g.Location(bucket, "d", "")
	store := openAt(t, location)
	if _, err := store.Manifest(t.Context(), part(0), 0); err != nil {
		t.Fatal(err)
	}
	size := int64(0)
	for n := range 150 {
		line := fmt.Appendf(nil, "line %d\n", n)
		if err := store.Append(t.Context(), part(0), size, line); err != nil {
			t.Fatal(err)
		}
		size += int64(len(line))
	}
	folder := filepath.Join(g.Folder, bucket, "d", "events", "1", "0", "manifest")
	joined, err := filepath.Glob(filepath.Join(folder, "*-*"))
	if err != nil || len(joined) != 2 {
		t.Fatalf("joined objects: %v %v", joined, err)
	}
	if err := os.WriteFile(joined[1], []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	damage := (*archive.DamageError)(nil)
	if _, err := openAt(t, location).Manifest(t.Context(), part(0), 0); !errors.As(err, &damage) || !strings.HasSuffix(damage.Path, filepath.Base(joined[1])) {
		t.Errorf("an altered object: %v", err)
	}
	// The lines are still there one by one.
	if err := os.Remove(joined[1]); err != nil {
		t.Fatal(err)
	}
	if b, err := openAt(t, location).Manifest(t.Context(), part(0), 0); err != nil || int64(len(b)) != size {
		t.Errorf("without a joined object: %d bytes of %d, %v", len(b), size, err)
	}
	lost := filepath.Join(folder, fmt.Sprintf("%020d", len("line 0\n")*10+len("line 10\n")*80))
	if err := os.Remove(lost); err != nil {
		t.Fatal(err)
	}
	_, err = openAt(t, location).Manifest(t.Context(), part(0), 0)
	if !errors.As(err, &damage) || !strings.HasSuffix(damage.Path, filepath.Base(lost)) || kafka.Class(err) != schema.Fatal {
		t.Errorf("a missing object: %v", err)
	}
}
