package shortcut

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// writer keeps an answer until it is sent whole. It is an http.ResponseWriter.
type writer struct {
	header http.Header
	status int
	body   []byte
	sent   []byte
}

func (w *writer) reset() {
	clear(w.header)
	w.status, w.body = 0, w.body[:0]
	if cap(w.body) > 64<<10 {
		w.body, w.sent = nil, nil
	}
}

// Header is what will be sent.
func (w *writer) Header() http.Header {
	if w.header == nil {
		w.header = http.Header{}
	}
	return w.header
}

// WriteHeader sets the status, once.
func (w *writer) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// Write adds to the body.
func (w *writer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.body = append(w.body, p...)
	return len(p), nil
}

var lineEnds = strings.NewReplacer("\r", " ", "\n", " ")

// text is the answer as it is sent.
func (w *writer) text(last bool) []byte {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	b := append(w.sent[:0], "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(w.status), 10)
	b = append(append(b, ' '), http.StatusText(w.status)...)
	var names [16]string
	sorted := names[:0]
	for name := range w.header {
		if name != "Content-Length" && name != "Connection" && name != "Date" {
			sorted = append(sorted, name)
		}
	}
	slices.Sort(sorted)
	for _, name := range sorted {
		for _, value := range w.header[name] {
			b = append(append(b, "\r\n"...), name...)
			b = append(append(b, ": "...), lineEnds.Replace(value)...)
		}
	}
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(w.body)), 10)
	if last {
		b = append(b, "\r\nConnection: close"...)
	}
	b = append(append(b, "\r\nDate: "...), date()...)
	b = append(append(b, "\r\n\r\n"...), w.body...)
	w.sent = b
	return b
}

// second is the text of one second.
type second struct {
	at   int64
	text string
}

var thisSecond atomic.Pointer[second]

// date is the time as HTTP writes it.
func date() string {
	now := time.Now()
	s := thisSecond.Load()
	if s == nil || s.at != now.Unix() {
		s = &second{now.Unix(), now.UTC().Format(http.TimeFormat)}
		thisSecond.Store(s)
	}
	return s.text
}
