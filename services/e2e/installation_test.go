package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// masterKey is the key of every installation here, so that their digests compare.
const masterKey = "DOSSIER_MASTER_KEY=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

// credentials is what a first start leaves for users.
type credentials struct {
	Workspace, URL, WriteKey, ClientKey, APIToken string
}

// installation is a data folder and, while it is up, the process that serves it.
type installation struct {
	credentials
	data  string
	args  []string // of up, beside the data folder
	env   []string
	place place  // where its log is
	dir   string // where up is started, and finds dossier.yaml; empty: an empty folder
	api   string // the address that commands ask; empty: the one of credentials.json
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has ended
	log   *tail
}

// tail keeps what a process wrote last.
type tail struct {
	limit int // bytes; 0 is 64 KiB
	mu    sync.Mutex
	text  []byte
}

func (w *tail) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, b...)
	limit := w.limit
	if limit == 0 {
		limit = 1 << 16
	}
	if extra := len(w.text) - limit; extra > 0 {
		w.text = append(w.text[:0], w.text[extra:]...)
	}
	return len(b), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.text)
}

// prepare names a new data folder, and a new place of its log unless the flags do. What runs on it is ended with the test.
func prepare(t *testing.T, args ...string) *installation {
	t.Helper()
	i := &installation{data: filepath.Join(t.TempDir(), "data"), args: args, env: []string{masterKey}, log: &tail{}}
	if !slices.Contains(args, "--kafka") {
		i.place = newPlace(t)
		i.env = append(i.env, i.place.variables()...)
	}
	t.Cleanup(func() {
		if i.cmd != nil {
			i.kill(t)
		}
		if t.Failed() {
			t.Logf("what the installation wrote to stderr:\n%s", i.log)
		}
	})
	return i
}

// install starts a new installation and waits until it serves.
func install(t *testing.T, args ...string) *installation {
	t.Helper()
	i := prepare(t, args...)
	i.up(t)
	return i
}

// beginning starts the process and gives what it says when it serves.
func (i *installation) beginning(t *testing.T) <-chan string {
	t.Helper()
	address := loopback() + ":0"
	if i.URL != "" {
		address = strings.TrimPrefix(i.URL, "http://")
	}
	cmd := exec.Command(binary(t), append([]string{"up", "--data", i.data, "--listen", address}, i.args...)...)
	cmd.Dir, cmd.Env, cmd.Stderr = t.TempDir(), environment(i.env...), i.log
	if i.dir != "" {
		cmd.Dir = i.dir
	}
	cmd.SysProcAttr = endedWithTheTest()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	i.cmd, i.ended = cmd, make(chan struct{})
	ready := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if url, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
				ready <- url
			}
		}
		cmd.Wait() //nolint:errcheck // how it ended is in its state
		close(i.ended)
	}()
	return ready
}

// up starts the process at the address that it had before, if any, and waits until it serves.
func (i *installation) up(t *testing.T) {
	t.Helper()
	ready := i.beginning(t)
	select {
	case url := <-ready:
		i.read(t)
		if i.URL != url {
			t.Fatalf("ready at %s, and credentials.json says %s", url, i.URL)
		}
	case <-i.ended:
		i.cmd = nil
		t.Fatalf("up ended before it was ready: %s", i.log)
	case <-time.After(patience):
		t.Fatalf("up did not become ready: %s", i.log)
	}
}

func (i *installation) read(t *testing.T) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(i.data, "credentials.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &i.credentials); err != nil {
		t.Fatal(err)
	}
}

// down stops the process as Ctrl-C does; it must end with 0.
func (i *installation) down(t *testing.T) {
	t.Helper()
	if err := i.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case <-i.ended:
	case <-time.After(patience):
		t.Fatalf("up did not stop: %s", i.log)
	}
	if code := i.cmd.ProcessState.ExitCode(); code != 0 {
		t.Fatalf("up ended with %d: %s", code, i.log)
	}
	i.cmd = nil
}

// kill ends the process without a chance to clean up.
func (i *installation) kill(t *testing.T) {
	t.Helper()
	if err := i.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		select {
		case <-i.ended: // it ended by itself
		default:
			t.Fatal(err)
		}
	}
	<-i.ended
	i.cmd = nil
}

// dossier runs a command against the installation.
func (i *installation) dossier(t *testing.T, args ...string) outcome {
	t.Helper()
	args = append(args, "--data", i.data)
	if i.api != "" {
		args = append(args, "--url", i.api)
	}
	return command(t, i.place.variables(), args...)
}

// must runs a command that succeeds, and gives what it printed.
func (i *installation) must(t *testing.T, args ...string) string {
	t.Helper()
	o := i.dossier(t, args...)
	if o.code != 0 {
		t.Fatalf("dossier %s ended with %d: %s", strings.Join(args, " "), o.code, o.stderr)
	}
	return o.stdout
}

// digest gives the lines of `dossier digest`.
func (i *installation) digest(t *testing.T) string {
	t.Helper()
	text := i.must(t, "digest")
	for _, name := range []string{"events", "personas", "profiles", "timeline"} {
		if !strings.Contains(text, "  "+name+"  ") {
			t.Fatalf("no digest of %s: %s", name, text)
		}
	}
	return text
}

// counts gives the counts of a digest by name.
func counts(t *testing.T, digest string) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for line := range strings.Lines(digest) {
		var sum, name string
		var n int
		if _, err := fmt.Sscan(line, &sum, &name, &n); err != nil {
			t.Fatal(err)
		}
		counts[name] = n
	}
	return counts
}

// export calls each with every line of an export, decoded. Flags may follow the name.
func export[Line any](t *testing.T, i *installation, name string, each func(Line)) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(i.must(t, append([]string{"export"}, strings.Fields(name)...)...)))
	for {
		var line Line
		switch err := decoder.Decode(&line); err {
		case nil:
			each(line)
		case io.EOF:
			return
		default:
			t.Fatal(err)
		}
	}
}

// sameDigest fails with the first line that differs, of the first export that does.
func (i *installation) sameDigest(t *testing.T, want string, other *installation) {
	t.Helper()
	got := i.digest(t)
	if got == want {
		return
	}
	t.Errorf("digests differ: got\n%swant\n%s", got, want)
	if other == nil || other.cmd == nil {
		return
	}
	for _, name := range []string{"events", "personas", "profiles", "timeline"} {
		a, b := strings.Split(i.must(t, "export", name), "\n"), strings.Split(other.must(t, "export", name), "\n")
		for n := range max(len(a), len(b)) {
			switch {
			case n >= len(a):
				t.Fatalf("%s, line %d is missing: %s", name, n+1, b[n])
			case n >= len(b):
				t.Fatalf("%s, line %d is too much: %s", name, n+1, a[n])
			case a[n] != b[n]:
				t.Fatalf("%s, line %d: got\n%s\nwant\n%s", name, n+1, a[n], b[n])
			}
		}
	}
}

// wait returns when everything that was accepted can be queried.
func (i *installation) wait(t *testing.T) {
	t.Helper()
	if status, body := i.post(t, "/v1/wait", "Bearer "+i.APIToken, nil); status != 200 {
		t.Fatalf("wait: %d %s", status, body)
	}
}

// listing is every file of a folder with its bytes, to see that nothing was damaged.
func listing(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		files[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// sameFiles fails for each file that is not as it was.
func sameFiles(t *testing.T, before, after map[string][]byte) {
	t.Helper()
	for name, was := range before {
		if now, there := after[name]; !there || !bytes.Equal(was, now) {
			t.Errorf("%s is not as it was (there: %t)", name, there)
		}
	}
}
