// Package archivetest tests any archive.Store by one suite, and runs a real S3 server for it.
package archivetest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The credentials of every Gateway.
const (
	AccessKey = "dossier-test"
	SecretKey = "dossier-test-secret"
)

// Gateway is a real S3 server (versitygw over a folder) on loopback, ended with the test.
type Gateway struct {
	URL    string // http://127.0.0.1:PORT
	Folder string // holds the buckets: an object is a file of its name

	t      testing.TB
	binary string
	server *exec.Cmd
	output *bytes.Buffer
}

// StartGateway starts a server with one bucket. Without the binary, which deploy/testing/s3/gateway.sh builds, the test is
// skipped, or fails when CI is set.
func StartGateway(t testing.TB, bucket string) *Gateway {
	t.Helper()
	root := t.TempDir()
	g := &Gateway{t: t, Folder: filepath.Join(root, "buckets"), binary: gatewayBinary(t)}
	for _, dir := range []string{g.Folder, filepath.Join(root, "metadata"), filepath.Join(g.Folder, bucket)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g.URL = "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	g.Start()
	t.Cleanup(g.Kill)
	return g
}

func gatewayBinary(t testing.TB) string {
	t.Helper()
	var out bytes.Buffer
	script := exec.Command("sh", "-c", `printf %s "${DOSSIER_CACHE:-${XDG_CACHE_HOME:-${HOME}/.cache}/dossier}"`)
	script.Stdout = &out
	if err := script.Run(); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(out.String(), "versitygw", "*", "versitygw"))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 {
		return found[len(found)-1]
	}
	if os.Getenv("CI") != "" {
		t.Fatal("versitygw is missing: run 'make test-tools'")
	}
	t.Skip("versitygw is missing: run 'make test-tools'")
	return ""
}

// Start starts the server again after Kill, on the same port and folder, and returns when it answers.
func (g *Gateway) Start() {
	g.t.Helper()
	g.output = &bytes.Buffer{}
	g.server = exec.Command(g.binary, "--port", strings.TrimPrefix(g.URL, "http://"), "--access", AccessKey, "--secret", SecretKey,
		"--quiet", "posix", "--sidecar", filepath.Join(filepath.Dir(g.Folder), "metadata"), g.Folder)
	g.server.Stdout, g.server.Stderr = g.output, g.output
	if err := g.server.Start(); err != nil {
		g.t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		c, err := net.Dial("tcp", strings.TrimPrefix(g.URL, "http://"))
		if err == nil {
			if err := c.Close(); err != nil {
				g.t.Fatal(err)
			}
			return
		}
		if time.Now().After(deadline) {
			g.Kill()
			g.t.Fatalf("the S3 server does not answer: %v\n%s", err, g.output)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Kill ends the server without a chance to clean up. It may be called again.
func (g *Gateway) Kill() {
	if g.server == nil {
		return
	}
	if err := g.server.Process.Kill(); err != nil {
		g.t.Errorf("end the S3 server: %v", err)
	}
	if err := g.server.Wait(); err == nil {
		g.t.Errorf("the S3 server ended by itself:\n%s", g.output)
	}
	g.server = nil
}

// Location is the bucket's location for archive.Open, through another address if one is given.
func (g *Gateway) Location(bucket, prefix, through string) string {
	if through == "" {
		through = g.URL
	}
	return fmt.Sprintf("s3://%s/%s?endpoint=%s&lookup=path", bucket, prefix, through)
}

// Credentials puts the server's credentials into the environment of the test.
func (g *Gateway) Credentials(t *testing.T) {
	t.Helper()
	for _, variable := range g.Variables() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
}

// Variables are the server's credentials for the environment of another process.
func (g *Gateway) Variables() []string {
	return []string{"AWS_ACCESS_KEY_ID=" + AccessKey, "AWS_SECRET_ACCESS_KEY=" + SecretKey, "AWS_SESSION_TOKEN="}
}
