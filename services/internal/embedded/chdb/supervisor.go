package chdb

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Config says which engine to run and where.
type Config struct {
	// LibraryPath is the absolute path of libchdb.so. When both it and ServerPath are empty, Start looks for the library
	// (FindLibrary), then for a `clickhouse` binary on PATH.
	LibraryPath string
	// ServerPath is a clickhouse binary to run instead of the library.
	ServerPath string
	// DataDir is the engine's own folder; it is made when absent. One engine at a time.
	DataDir string
	// MemoryLimit bounds the engine's memory in bytes; 0 means a quarter of the machine's, within 1 to 4 GiB.
	MemoryLimit int64
	// Logger gets restarts and failures; nil means slog's default.
	Logger *slog.Logger
	// Executable is the binary that serves the child role; empty means this process's own.
	Executable string
}

// Engine is a running, supervised engine. URL and password stay the same for its life, whatever happens to the child.
type Engine struct {
	config   Config
	times    times
	log      *slog.Logger
	url      string
	address  string
	password string

	listener *net.TCPListener // of the library; nil for a stand-alone server, which binds its port itself
	port     int

	restarts atomic.Int64
	pid      atomic.Int64
	closing  chan struct{}
	closed   chan struct{} // closed when the supervising goroutine has ended
	once     sync.Once
	kill     atomic.Bool // Close ran out of patience
}

// times are the supervisor's patience; tests shorten them.
type times struct {
	ready        time.Duration // for a child to open its folder: nothing is replayed, but a large one on a slow disk takes long
	locked       time.Duration // for the folder of a process that was just killed to come free
	firstBackoff time.Duration
	maxBackoff   time.Duration
	steady       time.Duration // a child that lived this long is started again without delay
	probeEvery   time.Duration
	probeWithin  time.Duration
	probesMissed int // in a row; then the child is stuck and killed
}

var defaultTimes = times{
	ready: 2 * time.Minute, locked: 10 * time.Second,
	firstBackoff: 100 * time.Millisecond, maxBackoff: 10 * time.Second, steady: time.Minute,
	probeEvery: 15 * time.Second, probeWithin: 20 * time.Second, probesMissed: 3,
}

// Start opens the engine and returns when it answers. It fails with one clear line when the library is missing or corrupt,
// the folder is in use or not writable, or the engine does not open; it never damages what is stored. The caller closes it.
func Start(ctx context.Context, config Config) (*Engine, error) {
	return start(ctx, config, defaultTimes)
}

func start(ctx context.Context, config Config, times times) (*Engine, error) {
	e := &Engine{config: config, times: times, log: config.Logger, closing: make(chan struct{}), closed: make(chan struct{})}
	if e.log == nil {
		e.log = slog.Default()
	}
	if err := e.prepare(); err != nil {
		return nil, err
	}
	first := make(chan error, 1)
	go e.supervise(first)
	select {
	case err := <-first:
		if err != nil {
			<-e.closed
			return nil, e.explain(err)
		}
		return e, nil
	case <-ctx.Done():
		e.kill.Store(true)
		e.once.Do(func() { close(e.closing) })
		<-e.closed
		return nil, fmt.Errorf("start the engine: %w", ctx.Err())
	}
}

// URL is the address of ClickHouse's HTTP interface, without credentials.
func (e *Engine) URL() string { return e.url }

// User is the name that goes with Password.
func (e *Engine) User() string { return "default" }

// Password is a random one, made at Start and known to this process and its child only.
func (e *Engine) Password() string { return e.password }

// Restarts counts how often the child died and was started again.
func (e *Engine) Restarts() int64 { return e.restarts.Load() }

// PID is the process id of the running child, 0 while there is none.
func (e *Engine) PID() int { return int(e.pid.Load()) }

// Close stops the child in order, and kills it when ctx ends first or when it takes longer than it should. After that
// nothing listens any more. Closing twice is harmless.
func (e *Engine) Close(ctx context.Context) error {
	e.once.Do(func() { close(e.closing) })
	select {
	case <-e.closed:
		return nil
	case <-ctx.Done():
	}
	e.kill.Store(true)
	if pid := e.PID(); pid > 0 {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill the engine: %w", err)
		}
	}
	<-e.closed
	return nil
}

// prepare makes everything that outlives a child: folder, configuration, address and password.
func (e *Engine) prepare() (err error) {
	if err := e.choose(); err != nil {
		return err
	}
	dir, err := filepath.Abs(e.config.DataDir)
	if err != nil {
		return fmt.Errorf("find the engine's folder: %w", err)
	}
	e.config.DataDir = dir
	if err := makeWritable(dir); err != nil {
		return err
	}
	var secret [24]byte
	rand.Read(secret[:]) // never fails: it crashes the process instead
	e.password = hex.EncodeToString(secret[:])
	if e.config.Executable == "" {
		if e.config.Executable, err = os.Executable(); err != nil {
			return fmt.Errorf("find this binary, which the engine runs in: %w", err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the engine on loopback: %w", err)
	}
	e.address = listener.Addr().String()
	e.url = "http://" + e.address
	e.port = listener.Addr().(*net.TCPAddr).Port
	e.listener = listener.(*net.TCPListener)
	values := configValues{DataDir: dir, MemoryLimit: e.config.MemoryLimit}
	if values.MemoryLimit == 0 {
		values.MemoryLimit = defaultMemoryLimit()
	}
	if e.config.ServerPath == "" {
		return writeConfig(filepath.Join(dir, configFile), engineConfig, values)
	}
	// A stand-alone server binds the port itself. Between here and there another process may take it: the server then
	// fails, and says so.
	if err := e.listener.Close(); err != nil {
		return fmt.Errorf("free the engine's port: %w", err)
	}
	e.listener = nil
	sum := sha256.Sum256([]byte(e.password))
	values.DataDir = filepath.Join(dir, storeDir)
	values.Server, values.Port, values.PasswordSHA256 = true, e.port, hex.EncodeToString(sum[:])
	values.UsersFile = filepath.Join(dir, usersFile)
	if err := os.MkdirAll(values.DataDir, 0o700); err != nil {
		return fmt.Errorf("make the engine's folder: %w", err)
	}
	if err := writeConfig(values.UsersFile, serverUsers, values); err != nil {
		return err
	}
	return writeConfig(filepath.Join(dir, configFile), engineConfig, values)
}

// choose decides between the library and a binary.
func (e *Engine) choose() error {
	switch {
	case e.config.ServerPath != "":
		return nil
	case e.config.LibraryPath != "":
		if !filepath.IsAbs(e.config.LibraryPath) {
			return fmt.Errorf("the engine library's path %s must be absolute", e.config.LibraryPath)
		}
		return checkLibrary(e.config.LibraryPath)
	}
	path, err := FindLibrary(os.Getenv)
	if err == nil {
		e.config.LibraryPath = path
		return nil
	}
	if !errors.Is(err, ErrNoLibrary) {
		return err
	}
	if e.config.ServerPath, _ = exec.LookPath("clickhouse"); e.config.ServerPath == "" {
		return err
	}
	if e.config.ServerPath, err = filepath.Abs(e.config.ServerPath); err != nil {
		return fmt.Errorf("find clickhouse: %w", err)
	}
	return nil
}

// makeWritable makes the folder and tries it.
func makeWritable(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, storeDir), 0o700); err != nil {
		return fmt.Errorf("make the engine's folder: %w", err)
	}
	probe, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return fmt.Errorf("the engine's folder %s is not writable: %w", dir, err)
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return fmt.Errorf("the engine's folder %s is not writable: %w", dir, err)
	}
	return nil
}

// supervise runs children one after another until Close. It keeps its thread: the kernel kills a child when the thread that
// started it ends.
func (e *Engine) supervise(first chan<- error) {
	runtime.LockOSThread()
	defer close(e.closed)
	if e.listener != nil {
		defer e.listener.Close()
	}
	started := time.Now()
	opened := false
	for backoff := e.times.firstBackoff; ; {
		born := time.Now()
		ready, err := e.runChild(func() {
			if !opened {
				opened = true
				first <- nil
				return
			}
			e.restarts.Add(1)
			e.log.Info("engine restarted", "restarts", e.Restarts(), "after", time.Since(born).Round(time.Millisecond))
		})
		if e.stopping() {
			if !opened {
				first <- errors.New("stopped before it was ready")
			}
			return
		}
		if !opened {
			// The child of a killed parent may still hold the folder for a moment.
			if !isLocked(err) || time.Since(started) > e.times.locked {
				first <- err
				return
			}
		} else {
			e.log.Error("engine stopped; starting it again", "error", err, "lived", time.Since(born).Round(time.Millisecond))
		}
		if ready && time.Since(born) > e.times.steady {
			backoff = e.times.firstBackoff
		}
		wait := time.NewTimer(backoff)
		select {
		case <-wait.C:
		case <-e.closing:
			wait.Stop()
		}
		backoff = min(2*backoff, e.times.maxBackoff)
	}
}

func (e *Engine) stopping() bool {
	select {
	case <-e.closing:
		return true
	default:
		return false
	}
}

// runChild starts one child and waits for its end; it calls onReady when the child answers, and returns why it ended.
func (e *Engine) runChild(onReady func()) (ready bool, err error) {
	child, err := e.startChild()
	if err != nil {
		return false, err
	}
	e.pid.Store(int64(child.cmd.Process.Pid))
	defer e.pid.Store(0)
	defer child.life.Close()

	late := time.NewTimer(e.times.ready)
	defer late.Stop()
	probe := time.NewTicker(e.times.probeEvery)
	defer probe.Stop()
	probed := make(chan error, 1)
	probing, missed := false, 0
	closing := e.closing
	var patience <-chan time.Time
	for {
		select {
		case r := <-child.reports:
			child.reports = nil
			if !r.Ready {
				err = errors.New(r.Error) // the process ends by itself
				continue
			}
			late.Stop()
			ready = true
			onReady()
		case ended := <-child.ended:
			return ready, e.why(err, ended, child, ready)
		case <-late.C:
			err = fmt.Errorf("it was not ready within %s", e.times.ready)
			child.signal(e.log, syscall.SIGKILL)
		case <-probe.C:
			if !ready || probing || e.stopping() {
				continue
			}
			probing = true
			go func() { probed <- e.alive() }()
		case failure := <-probed:
			probing = false
			if failure == nil {
				missed = 0
				continue
			}
			if missed++; missed >= e.times.probesMissed {
				err = fmt.Errorf("it did not answer %d times: %w", missed, failure)
				child.signal(e.log, syscall.SIGKILL)
			}
		case <-closing:
			closing = nil
			stop := syscall.SIGTERM
			if e.kill.Load() {
				stop = syscall.SIGKILL
			}
			child.signal(e.log, stop)
			patience = time.After(2 * stopGrace)
		case <-patience:
			child.signal(e.log, syscall.SIGKILL)
		}
	}
}

// alive asks the child to run a statement.
func (e *Engine) alive() error {
	ctx, cancel := context.WithTimeout(context.Background(), e.times.probeWithin)
	defer cancel()
	url := e.url + alivePath + "?query=SELECT+1"
	if e.listener == nil {
		url = e.url + "/?query=SELECT+1"
	}
	return e.ask(ctx, http.MethodGet, url)
}

// ask sends the child a request of which only the status counts.
func (e *Engine) ask(ctx context.Context, method, url string) error {
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return err
	}
	r.SetBasicAuth(e.User(), e.password)
	answer, err := probeClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	return nil
}

// probeClient opens a connection for each probe: a kept one would be dead after every restart.
var probeClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// why says how a child ended. What the engine wrote is quoted only of one that never served: later it may hold a statement's
// text.
func (e *Engine) why(reported, ended error, c *child, served bool) error {
	<-c.drained
	tail := c.tail.String()
	switch {
	case reported == nil:
		reported = orExit0(ended)
	case !served && isLockMessage(tail):
		return fmt.Errorf("%w: %s", errLocked, e.config.DataDir)
	}
	if line := reasonLine(tail); !served && line != "" {
		return fmt.Errorf("%w: %s", reported, line)
	}
	return reported
}

// isLockMessage recognises the engine's words for a folder that another process has open.
func isLockMessage(text string) bool {
	return strings.Contains(text, "Code: 76.") || strings.Contains(text, "Cannot lock file")
}

var errLocked = errors.New("the engine's folder is in use by another process")

func isLocked(err error) bool { return errors.Is(err, errLocked) }

// reasonLine is the line of the engine's messages that says most: an exception, a fault of the Go runtime, else the last.
func reasonLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, l := range lines {
		if strings.Contains(l, "DB::Exception") || strings.HasPrefix(l, "panic:") || strings.HasPrefix(l, "fatal error:") {
			return strings.TrimSpace(l)
		}
	}
	return strings.TrimSpace(lines[len(lines)-1])
}

// explain turns the failure of a first start into one line, looking whether the library itself is damaged.
func (e *Engine) explain(err error) error {
	if !isLocked(err) && e.config.LibraryPath != "" {
		if damaged := verifyLibrary(e.config.LibraryPath); damaged != nil {
			return damaged
		}
	}
	return fmt.Errorf("start the engine: %w", err)
}

// child is one process.
type child struct {
	cmd     *exec.Cmd
	life    io.Closer   // our end of its stdin
	reports chan report // one at most
	ended   chan error
	drained chan struct{} // stderr has been read to its end
	tail    *tailBuffer
}

func (c *child) signal(log *slog.Logger, s syscall.Signal) {
	if err := c.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		log.Error("cannot signal the engine", "signal", s.String(), "error", err)
	}
}

func (e *Engine) startChild() (_ *child, err error) {
	args := []string{ChildRole, "-data", e.config.DataDir}
	if e.config.ServerPath != "" {
		args = append(args, "-server", e.config.ServerPath, "-port", strconv.Itoa(e.port))
	} else {
		args = append(args, "-library", e.config.LibraryPath)
	}
	cmd := exec.Command(e.config.Executable, args...)
	cmd.Dir = e.config.DataDir
	// HOME and the working directory are fixed: the engine searches both for configuration.
	cmd.Env = append(withoutEnv(os.Environ(), "HOME", "TZ", childPassword, childMark, "GOMEMLIMIT", "GOCOVERDIR"),
		"HOME="+e.config.DataDir, "TZ=UTC", childMark+"=1", childPassword+"="+e.password)
	cmd.SysProcAttr = childAttributes()

	stdin, life, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start the engine's process: %w", err)
	}
	defer stdin.Close()
	reports, report4, err := os.Pipe()
	if err != nil {
		life.Close()
		return nil, fmt.Errorf("start the engine's process: %w", err)
	}
	defer report4.Close()
	stderr, stderr2, err := os.Pipe()
	if err != nil {
		life.Close()
		reports.Close()
		return nil, fmt.Errorf("start the engine's process: %w", err)
	}
	defer stderr2.Close()
	cmd.Stdin, cmd.Stderr = stdin, stderr2
	socket := stdin // a placeholder at descriptor 3 for a server, which binds its own port
	if e.listener != nil {
		if socket, err = e.listener.File(); err == nil {
			defer socket.Close()
		}
	}
	if err == nil {
		cmd.ExtraFiles = []*os.File{socket, report4}
		err = cmd.Start()
	}
	if err != nil {
		life.Close()
		reports.Close()
		stderr.Close()
		return nil, fmt.Errorf("start the engine's process: %w", err)
	}
	c := &child{cmd: cmd, life: life, reports: make(chan report, 1), ended: make(chan error, 1), drained: make(chan struct{}), tail: &tailBuffer{}}
	go readReport(reports, c.reports)
	go func() {
		defer close(c.drained)
		defer stderr.Close()
		e.readMessages(stderr, c.tail)
	}()
	go func() { c.ended <- cmd.Wait() }()
	return c, nil
}

// readMessages keeps the tail of what the child writes, and passes its own log on; what the library writes may quote
// statements and goes no further.
func (e *Engine) readMessages(from io.Reader, tail io.Writer) {
	lines := bufio.NewReader(io.TeeReader(from, tail))
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			continue // no line of ours
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				e.log.Warn("cannot read the engine's messages", "error", err)
			}
			return
		}
		var m struct {
			Level slog.Level `json:"level"`
			Msg   string     `json:"msg"`
			Error string     `json:"error"`
		}
		if json.Unmarshal(line, &m) == nil && m.Msg != "" {
			e.log.Log(context.Background(), m.Level, "engine: "+m.Msg, "error", m.Error)
		}
	}
}

// readReport passes on the child's one line; a child that dies before writing it shows by its end.
func readReport(from io.ReadCloser, to chan<- report) {
	defer from.Close()
	line, err := bufio.NewReader(from).ReadBytes('\n')
	if err != nil {
		return
	}
	var r report
	if err := json.Unmarshal(line, &r); err != nil {
		r = report{Error: "it gave a report that cannot be read"}
	}
	to <- r
}

// tailBuffer keeps the last part of what is written to it.
type tailBuffer struct {
	mu   sync.Mutex
	text []byte
}

const tailSize = 8 << 10

func (t *tailBuffer) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if extra := len(t.text) - tailSize; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
	}
	return len(p), nil
}

func (t *tailBuffer) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
