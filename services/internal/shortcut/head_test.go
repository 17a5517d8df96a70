package shortcut

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

var testPaths = map[string]string{"/v1/track": "/v1/track", "/v1/batch": "/v1/batch"}

const plainText = "POST /v1/track HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: 4\r\nAuthorization: Basic a2V5Og==\r\n" +
	"Content-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n"

func TestHead(t *testing.T) {
	line := func(old, new string) string { return strings.Replace(plainText, old, new, 1) }
	add := func(header string) string { return line("Host:", header+"\r\nHost:") }
	for name, c := range map[string]struct {
		text string
		want verdict
	}{
		"plain":                         {plainText, plainHead},
		"with a body":                   {plainText + "body", plainHead},
		"kept alive":                    {add("Connection: Keep-Alive"), plainHead},
		"names in capitals":             {strings.ReplaceAll(line("Host", "HOST"), "Content-Length", "CONTENT-LENGTH"), plainHead},
		"without a key":                 {line("Authorization: Basic a2V5Og==\r\n", ""), plainHead},
		"an unknown header":             {add("X-Anything: a b\tc"), plainHead},
		"no more than begun":            {"PO", incomplete},
		"no end of the line":            {"POST /v1/track HTTP/1.1\r", incomplete},
		"no end":                        {strings.TrimSuffix(plainText, "\r\n"), incomplete},
		"another method":                {line("POST", "PUT"), unusual},
		"another method, begun":         {"G", unusual},
		"another path":                  {line("/v1/track", "/v1/events"), unusual},
		"a query":                       {line("/v1/track", "/v1/track?a=b"), unusual},
		"a whole address":               {line("/v1/track", "http://a/v1/track"), unusual},
		"two spaces":                    {line("/v1/track", " /v1/track"), unusual},
		"HTTP/1.0":                      {line("HTTP/1.1", "HTTP/1.0"), unusual},
		"HTTP/2 by prior knowledge":     {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", unusual},
		"no host":                       {line("Host: 127.0.0.1:8080\r\n", ""), unusual},
		"two hosts":                     {add("Host: b"), unusual},
		"an empty host":                 {line("127.0.0.1:8080", ""), unusual},
		"a host with a path":            {line("127.0.0.1:8080", "a/b"), unusual},
		"no length":                     {line("Content-Length: 4\r\n", ""), unusual},
		"two lengths":                   {add("Content-Length: 4"), unusual},
		"a signed length":               {line("Length: 4", "Length: +4"), unusual},
		"a list of lengths":             {line("Length: 4", "Length: 4, 4"), unusual},
		"an empty length":               {line("Length: 4", "Length: "), unusual},
		"a length beyond all":           {line("Length: 4", "Length: 9999999999999"), unusual},
		"two keys":                      {add("Authorization: Basic b"), unusual},
		"two types":                     {add("content-type: text/plain"), unusual},
		"chunked":                       {add("Transfer-Encoding: chunked"), unusual},
		"chunked, disguised":            {add("Transfer-Encoding : chunked"), unusual},
		"encoded":                       {add("Content-Encoding: gzip"), unusual},
		"with an expectation":           {add("Expect: 100-continue"), unusual},
		"with an upgrade":               {add("Upgrade: h2c"), unusual},
		"to be closed":                  {add("Connection: close"), unusual},
		"with more of the connection":   {add("Connection: keep-alive, X-Anything"), unusual},
		"with trailers":                 {add("Trailer: X-Anything"), unusual},
		"a bare newline":                {line("\r\nHost", "\nHost"), unusual},
		"a bare newline within a value": {add("X-Anything: a\nb"), unusual},
		"a bare return within a value":  {add("X-Anything: a\rb"), unusual},
		"a folded line":                 {add("X-Anything: a\r\n b"), unusual},
		"a line without a name":         {add(": a"), unusual},
		"a line without a colon":        {add("anything"), unusual},
		"a name with a space":           {add("X Anything: a"), unusual},
		"a zero byte":                   {add("X-Anything: \x00"), unusual},
		"a value beyond ASCII":          {add("X-Anything: é"), unusual},
	} {
		var h head
		size, got := h.parse([]byte(c.text), testPaths)
		if got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
		if got == plainHead && (c.text[:size] != strings.TrimSuffix(c.text, "body") || h.length != 4 || h.path != "/v1/track") {
			t.Errorf("%s: %d bytes, %+v", name, size, h)
		}
	}
}

// Nothing is left of an earlier request.
func TestHeadForgets(t *testing.T) {
	var h head
	h.parse([]byte(plainText), testPaths)
	without := strings.NewReplacer("Authorization", "X-Key", "Content-Type", "X-Type").Replace(plainText)
	if _, v := h.parse([]byte(without), testPaths); v != plainHead || h.authorization != "" || h.contentType != "" {
		t.Fatalf("%d %+v", v, h)
	}
}

// What is plain here is the same to net/http, down to where it ends, and before its end it is not plain.
func FuzzHead(f *testing.F) {
	f.Add([]byte(plainText + "body"))
	f.Add([]byte(plainText + "bodyPOST /v1/batch HTTP/1.1\r\n"))
	for _, more := range []string{"Transfer-Encoding: chunked", "Content-Length: 5", "Connection: close", "Expect: 100-continue", " folded", "Host: b", "A:\t b \t"} {
		f.Add([]byte(strings.Replace(plainText, "Host:", more+"\r\nHost:", 1) + "body"))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var h head
		size, v := h.parse(text, testPaths)
		if v != plainHead {
			return
		}
		for n := range size {
			if _, v := (&head{}).parse(text[:n], testPaths); n > 0 && v == plainHead {
				t.Fatalf("plain after %d of %d bytes", n, size)
			}
		}
		in := bufio.NewReader(bytes.NewReader(text))
		r, err := http.ReadRequest(in)
		if err != nil {
			t.Fatalf("net/http refuses it: %v", err)
		}
		header := func(name string) string {
			if all := r.Header[name]; len(all) > 1 {
				t.Fatalf("%s is there %d times", name, len(all))
			}
			return r.Header.Get(name)
		}
		switch {
		case r.Method != "POST", r.RequestURI != h.path, r.URL.Path != h.path, r.URL.RawQuery != "", r.URL.Host != "", !r.ProtoAtLeast(1, 1), r.Host == "",
			r.ContentLength != h.length, len(r.TransferEncoding) > 0, len(r.Trailer) > 0, r.Close,
			header("Authorization") != h.authorization, header("Content-Type") != h.contentType,
			header("Expect") != "", header("Upgrade") != "", header("Content-Encoding") != "":
			t.Fatalf("net/http reads %+v, we %+v", r, h)
		}
		body, err := io.ReadAll(r.Body)
		whole := int64(len(text)-size) >= h.length
		if whole != (err == nil) {
			t.Fatalf("of %d bytes %d are there: %v", h.length, len(text)-size, err)
		}
		if !bytes.Equal(body, text[size:size+len(body)]) {
			t.Fatal("the bodies are not one")
		}
	})
}
