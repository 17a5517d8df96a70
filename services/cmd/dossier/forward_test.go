package main

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/services/internal/coordination"
)

// TestForwardLogsNobody: however handing a request over goes wrong, neither its path nor its query, which may name a customer, is logged or
// answered.
func TestForwardLogsNobody(t *testing.T) {
	const path, query = "planted-in-the-path@example.com", "planted-in-the-query@example.com"
	answering := func(answer func(net.Conn)) string { // an address at which each connection is answered so
		t.Helper()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		go func() {
			for {
				c, err := listener.Accept()
				if err != nil {
					return
				}
				c.Read(make([]byte, 4096)) // whatever is asked
				answer(c)
				c.Close()
			}
		}()
		return listener.Addr().String()
	}
	says := func(text string) func(net.Conn) { return func(c net.Conn) { io.WriteString(c, text) } }
	for name, c := range map[string]struct {
		addresses []string
		quiet     bool // the answer was begun: there is nobody to tell but the log
	}{
		"no collector":                 {},
		"nobody listens":               {addresses: []string{"127.0.0.1:1"}},
		"hung up":                      {addresses: []string{answering(says(""))}},
		"no HTTP":                      {addresses: []string{answering(says("what is " + path[:7] + "?\r\n\r\n"))}},
		"one after the other is gone":  {addresses: []string{"127.0.0.1:1", answering(says(""))}},
		"an answer that breaks off":    {addresses: []string{answering(says("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"))}, quiet: true},
		"chunks that are none":         {addresses: []string{answering(says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n"))}, quiet: true},
		"a switch that nobody asked":   {addresses: []string{answering(says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"))}},
		"a header of impossible bytes": {addresses: []string{answering(says("HTTP/1.1 200 OK\r\n\x00: 1\r\n\r\n"))}},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			server := httptest.NewServer(handedTo(&inTurn{
				present: func() (all []coordination.Owner) {
					for _, address := range c.addresses {
						all = append(all, coordination.Owner{Address: address})
					}
					return all
				},
				to: func(string) http.RoundTripper { return plain{transport} },
			}, slog.New(slog.NewTextHandler(&log, nil))))
			server.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(&log, nil), slog.LevelWarn)
			res, err := http.Post(server.URL+"/api/v1/customers/"+path+"?email="+query, "application/json", strings.NewReader("{}"))
			answer := ""
			if err == nil {
				text, broken := io.ReadAll(res.Body)
				res.Body.Close()
				answer = string(text)
				if c.quiet != (broken != nil) || !c.quiet && res.StatusCode != http.StatusServiceUnavailable {
					t.Errorf("answered %d %s, %v", res.StatusCode, answer, broken)
				}
			} else if !c.quiet {
				t.Error(err)
			}
			server.Close() // whoever logs has done so
			if log.Len() == 0 {
				t.Error("nothing was logged")
			}
			if all := log.String() + answer; strings.Contains(all, "planted-in") {
				t.Errorf("a customer is named: %s", all)
			}
		})
	}
}

// plain speaks HTTP without TLS, as collectors do not.
type plain struct{ *http.Transport }

func (p plain) RoundTrip(r *http.Request) (*http.Response, error) {
	r.URL.Scheme = "http"
	return p.Transport.RoundTrip(r)
}
