package chdb

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"
)

// The contract between the supervisor and its child.
//
//	argument 1      engine-child
//	flags           -library PATH -data DIR, or -server PATH -data DIR
//	environment     DOSSIER_ENGINE_CHILD=1 (marks the role), DOSSIER_ENGINE_PASSWORD
//	stdin           a pipe that the parent holds open: its end means that the parent is gone
//	descriptor 3    the listening socket (the library only)
//	descriptor 4    a pipe for one report line, when the engine is ready or has failed
//	stderr          the child's log as JSON lines, and what the library writes; the supervisor keeps the tail
const (
	ChildRole      = "engine-child"
	childMark      = "DOSSIER_ENGINE_CHILD"
	childPassword  = "DOSSIER_ENGINE_PASSWORD"
	listenerHandle = 3
	reportHandle   = 4
)

// report is the child's one line to the supervisor.
type report struct {
	Ready   bool   `json:"ready"`
	Version string `json:"version,omitempty"`
	Error   string `json:"error,omitempty"`
}

// MaybeServeChild turns this process into an engine child, and does not return, when the supervisor started it as one. Call
// it first in main and in TestMain: the supervisor runs its own binary again.
func MaybeServeChild() {
	if os.Getenv(childMark) == "1" && len(os.Args) > 1 && os.Args[1] == ChildRole {
		os.Exit(ServeChild(os.Args[2:]))
	}
}

// ServeChild is the hidden role engine-child; args are what follows the role's name. It returns the exit code: 0 after an
// orderly stop, 1 when the engine could not be opened, 2 when it was called wrongly.
func ServeChild(args []string) int {
	flags := flag.NewFlagSet(ChildRole, flag.ContinueOnError)
	libraryPath := flags.String("library", "", "absolute path of the engine library")
	server := flags.String("server", "", "a clickhouse binary to run instead of the library")
	dataDir := flags.String("data", "", "data folder")
	port := flags.Int("port", 0, "the server's HTTP port")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	password := os.Getenv(childPassword)
	if password == "" || *dataDir == "" || (*libraryPath == "") == (*server == "") {
		fmt.Fprintln(os.Stderr, "engine-child is a role that `dossier up` starts itself; it is of no use by hand")
		return 2
	}
	out := os.NewFile(reportHandle, "report")
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	// Ctrl-C reaches the whole foreground group: the parent alone decides when the engine stops.
	signal.Ignore(os.Interrupt)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go exitWithParent()
	var err error
	if *server != "" {
		err = serveBinary(ctx, *server, *dataDir, *port, out)
	} else {
		err = serveLibrary(ctx, *libraryPath, *dataDir, password, out, log)
	}
	if err != nil {
		tell(out, report{Error: err.Error()})
		return 1
	}
	return 0
}

// exitWithParent ends the process when the parent's end of stdin closes, whatever closed it. On Linux the kernel also kills
// the child (Pdeathsig); this covers the rest. Nothing acknowledged is lost: acknowledged rows are synced.
func exitWithParent() {
	_, err := io.Copy(io.Discard, os.Stdin)
	if err == nil {
		os.Exit(3)
	}
	fmt.Fprintln(os.Stderr, "engine-child: cannot watch the parent:", err)
	os.Exit(3)
}

func tell(out *os.File, r report) {
	line, err := json.Marshal(r)
	if err != nil {
		panic(err) // three plain fields always marshal
	}
	if _, err := out.Write(append(line, '\n')); err != nil {
		fmt.Fprintln(os.Stderr, "engine-child: cannot report:", err)
	}
	out.Close()
}

// childMemory is the Go side's soft limit: it holds only chunks in transit. The engine's own limit is in its configuration.
const childMemory = 96 << 20

const (
	maxIdleConnections = 16
	idleConnectionLife = 30 * time.Second
	stopGrace          = 5 * time.Second
)

func serveLibrary(ctx context.Context, path, dataDir, password string, out *os.File, log *slog.Logger) error {
	debug.SetMemoryLimit(childMemory)
	// The password is in memory now; processes that the engine might start need not see it.
	if err := os.Unsetenv(childPassword); err != nil {
		return fmt.Errorf("clear the environment: %w", err)
	}
	listener, err := net.FileListener(os.NewFile(listenerHandle, "listener"))
	if err != nil {
		return fmt.Errorf("inherit the listener: %w", err)
	}
	defer listener.Close()
	lib, err := loadLibrary(path)
	if err != nil {
		return err
	}
	options := []string{
		"--path=" + filepath.Join(dataDir, storeDir),
		"--config-file=" + filepath.Join(dataDir, configFile),
		// On by default, a mistyped statement parses as an expression.
		"--implicit_select=0",
		"--backups.allowed_path=" + filepath.Join(dataDir, "backups"),
	}
	boot, err := lib.open(options)
	if err != nil {
		return err
	}
	p := newPool(lib, options, maxIdleConnections, idleConnectionLife)
	f, err := newFront(p, boot, password, log)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           f,
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       15 * time.Minute,
		MaxHeaderBytes:    4 << 20, // query parameters travel in the URL
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	tell(out, report{Ready: true, Version: f.version})
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	return f.shutDown(server, lib)
}

// shutDown lets running statements end, then closes the engine in order. What does not end in time is cut off, which is no
// worse than a crash: nothing acknowledged depends on it.
func (f *front) shutDown(server *http.Server, lib *library) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return nil
		}
		return fmt.Errorf("stop serving: %w", err)
	}
	f.sessions.close()
	f.pool.close()
	f.bootMu.Lock()
	f.boot.close()
	if lib.shutdown() != 0 {
		f.log.Info("the engine still had connections open when it stopped")
	}
	return nil
}
