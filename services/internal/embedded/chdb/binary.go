package chdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// serveBinary runs a stand-alone `clickhouse server` under this child, which watches the parent for it and stops it.
func serveBinary(ctx context.Context, binary, dataDir string, port int, out *os.File) error {
	// The kernel's death signal is bound to the thread that starts the server.
	runtime.LockOSThread()
	cmd := exec.Command(binary, "server", "--config-file="+filepath.Join(dataDir, configFile))
	cmd.Dir = dataDir
	cmd.Env = append(withoutEnv(os.Environ(), childPassword, childMark), "TZ=UTC")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.SysProcAttr = childAttributes()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", binary, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	version, err := waitForServer(ctx, "http://"+net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), ended)
	if err != nil {
		return errors.Join(err, stopServer(cmd, ended))
	}
	tell(out, report{Ready: true, Version: version})
	select {
	case err := <-ended:
		return fmt.Errorf("the clickhouse server ended: %w", orExit0(err))
	case <-ctx.Done():
		return stopServer(cmd, ended)
	}
}

func orExit0(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// waitForServer polls until the server answers; it ends early when the server or the context does.
func waitForServer(ctx context.Context, url string, ended chan error) (version string, err error) {
	client := &http.Client{Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if r, err := client.Get(url + "/ping"); err == nil {
			text, err := io.ReadAll(io.LimitReader(r.Body, 1<<10))
			r.Body.Close()
			if err == nil && strings.TrimSpace(string(text)) == "Ok." {
				return r.Header.Get("X-ClickHouse-Server-Display-Name"), nil
			}
		}
		select {
		case err := <-ended:
			ended <- err
			return "", fmt.Errorf("the clickhouse server ended before it was ready: %w", orExit0(err))
		case <-ctx.Done():
			return "", ctx.Err()
		case <-tick.C:
		}
	}
}

func stopServer(cmd *exec.Cmd, ended chan error) error {
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop the clickhouse server: %w", err)
	}
	select {
	case <-ended:
		return nil
	case <-time.After(stopGrace):
	}
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill the clickhouse server: %w", err)
	}
	<-ended
	return nil
}

func withoutEnv(env []string, names ...string) []string {
	var kept []string
next:
	for _, e := range env {
		for _, n := range names {
			if strings.HasPrefix(e, n+"=") {
				continue next
			}
		}
		kept = append(kept, e)
	}
	return kept
}
