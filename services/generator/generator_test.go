package generator_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/population"
	"github.com/dossier-cdp/dossier/services/generator"
)

func write(t *testing.T, people int, o generator.Options) (string, generator.Result) {
	t.Helper()
	p, err := population.New(population.Plan{People: people, Seed: 9})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	result, err := generator.Write(context.Background(), &b, p, o)
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), result
}

// TestWrite: in memory or by temporary files the file is the same, a smaller one is a part of a larger one in the same order, and who belongs
// together does not stand together.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	large, result := write(t, 1000, generator.Options{Dir: dir, InMemory: 100})
	if again, _ := write(t, 1000, generator.Options{}); again != large {
		t.Error("sorted in memory and in files, the files differ")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v %v", left, err)
	}
	lines := strings.Split(large, "\n")
	if lines[0] != population.Columns || len(lines) != result.Records+2 || result.Labelled == 0 || result.Labelled >= result.Records {
		t.Errorf("%d lines, header %q, result %+v", len(lines), lines[0], result)
	}
	small, _ := write(t, 300, generator.Options{})
	at := 0
	for line := range strings.Lines(small) {
		next := slices.Index(lines[at:], strings.TrimSuffix(line, "\n"))
		if next < 0 {
			t.Fatalf("the larger file lacks, or has earlier: %s", line)
		}
		at += next
	}
	beside := 0
	for i := 2; i < len(lines)-1; i++ {
		a, b := lines[i-1][strings.LastIndexByte(lines[i-1], ',')+1:], lines[i][strings.LastIndexByte(lines[i], ',')+1:]
		if a != "" && a == b {
			beside++
		}
	}
	if beside > 20 {
		t.Errorf("%d of %d lines stand behind one of the same person", beside, len(lines))
	}
}

// full is a disk that is full after some bytes.
type full int

func (f *full) Write(b []byte) (int, error) {
	if *f -= full(len(b)); *f < 0 {
		return 0, errors.New("no space left on device")
	}
	return len(b), nil
}

// TestWriteFails: after a fault of the disk or an interruption nothing is left behind, and the fault is told.
func TestWriteFails(t *testing.T) {
	dir := t.TempDir()
	p, err := population.New(population.Plan{People: 20_000, Seed: 9})
	if err != nil {
		t.Fatal(err)
	}
	disk := full(100_000)
	if _, err := generator.Write(context.Background(), &disk, p, generator.Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "no space") {
		t.Errorf("on a full disk: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	told := 0
	_, err = generator.Write(ctx, &bytes.Buffer{}, p, generator.Options{Dir: dir, InMemory: 1000, Progress: func(n int) { told = n; cancel() }})
	if !errors.Is(err, context.Canceled) || told == 0 {
		t.Errorf("interrupted after %d records: %v", told, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v %v", left, err)
	}
}
