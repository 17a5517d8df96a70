package e2e

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience is how long anything may take that must come: tests assert what happens, never how fast.
const patience = 3 * time.Minute

// atOnce is how many tests run beside each other for each core: most of what they do is to wait for what comes, and for what must not come.
const atOnce = 2

// besideOthers lets a test run beside others. Not with the full counts, whose figures are to be those of an installation that has the machine to
// itself. A test stays alone that holds times or memory to a bound, has a cluster of its own to start, or sets variables of this process.
func besideOthers(t *testing.T) {
	t.Helper()
	if !proving() {
		t.Parallel()
	}
}

// besideEachOther sets how many tests run beside each other, unless the command line says it.
func besideEachOther() error {
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "test.parallel" })
	if said {
		return nil
	}
	return flag.Set("test.parallel", fmt.Sprint(atOnce*runtime.GOMAXPROCS(0)))
}

// loopbacks counts addresses that were given out.
var loopbacks atomic.Int64

// loopback is an address of this machine that no other installation of this run has, where the system has more than one: when it is started again, its
// port is still free.
func loopback() string {
	if runtime.GOOS != "linux" {
		return "127.0.0.1"
	}
	n := loopbacks.Add(1)
	return fmt.Sprintf("127.77.%d.%d", n/250, 1+n%250)
}

func TestMain(m *testing.M) {
	if err := besideEachOther(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if err := chooseLog(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	code := m.Run()
	if err := endCluster(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	if built.folder != "" {
		os.RemoveAll(built.folder) //nolint:errcheck // a folder of the system's temporary files
	}
	os.Exit(code)
}

var built struct {
	once         sync.Once
	folder, path string
	err          error
}

// binary gives the path of the product, which is built once.
func binary(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.path = os.Getenv("DOSSIER_BINARY"); built.path != "" {
			built.path, built.err = filepath.Abs(built.path)
			return
		}
		if built.folder, built.err = os.MkdirTemp("", "dossier-e2e-"); built.err != nil {
			return
		}
		built.path = filepath.Join(built.folder, "dossier")
		build := exec.Command("go", "build", "-trimpath", "-o", built.path, "../cmd/dossier")
		if out, err := build.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("build the binary: %w: %s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

// proving says whether the full counts are asked for.
func proving() bool { return os.Getenv("DOSSIER_PROVE") == "1" }

// counted chooses a count: the one that fits into `make test`, or the full one.
func counted(short, full int) int {
	if proving() {
		return full
	}
	return short
}

// root is the checkout.
func root(t *testing.T, parts ...string) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("the test does not know where it is")
	}
	dir, err := filepath.Abs(filepath.Join(filepath.Dir(file), "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(append([]string{dir}, parts...)...)
}

// shared gives the path of a file of the data folder. Without the folder the test is skipped, except under CI.
func shared(t *testing.T, parts ...string) string {
	t.Helper()
	folder := os.Getenv("DOSSIER_SHARED")
	if folder == "" {
		folder = root(t, "..", "shared")
	}
	path := filepath.Join(append([]string{folder, "data"}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		missing := fmt.Sprintf("%s is missing: put the data folder there, or name its parent in DOSSIER_SHARED", path)
		if os.Getenv("CI") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	return path
}

// environment is what the product gets: the system's, without settings of ours, and where the engine library is.
func environment(more ...string) []string {
	var env []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "DOSSIER_") || strings.HasPrefix(pair, "DOSSIER_CACHE=") {
			env = append(env, pair)
		}
	}
	return append(env, more...)
}

// outcome is what a command printed and how it ended.
type outcome struct {
	stdout, stderr string
	code           int
}

// command runs the product to its end in an empty folder.
func command(t *testing.T, env []string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(t), args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = t.TempDir(), environment(env...), &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("dossier %s did not end: %s", strings.Join(args, " "), &stderr)
	}
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}
