package shortcut

import (
	"bytes"
	"strings"
)

// headBytes is the most that the head of a plain request has.
const headBytes = 4 << 10

// verdict is what is known of the head of a request.
type verdict int

const (
	incomplete verdict = iota // more must be read
	unusual
	plainHead
)

// head is what the head of a plain request says. Its texts are kept from request to request, since most senders repeat themselves.
type head struct {
	path          string
	authorization string
	contentType   string
	length        int64
}

var (
	post     = []byte("POST ")
	protocol = []byte(" HTTP/1.1")
	newline  = []byte("\r\n")
)

// parse reads the head at the beginning of what has come, and says how long it is. What it does not know by name is passed over: such a
// header changes nothing in what a request means to our handlers, nor where it ends.
func (h *head) parse(text []byte, paths map[string]string) (size int, v verdict) {
	if n := min(len(text), len(post)); !bytes.Equal(text[:n], post[:n]) {
		return 0, unusual
	}
	line, rest, found := bytes.Cut(text, newline)
	if !found {
		return 0, incomplete
	}
	path, known := bytes.CutSuffix(line[len(post):], protocol)
	if !known {
		return 0, unusual
	}
	if h.path, known = paths[string(path)]; !known {
		return 0, unusual
	}
	h.length = -1
	host, authorization, contentType := false, false, false
	for {
		line, rest, found = bytes.Cut(rest, newline)
		if !found {
			return 0, incomplete
		}
		if len(line) == 0 {
			break
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 || !isToken(line[:colon]) || !isText(line[colon+1:]) {
			return 0, unusual
		}
		name, value := line[:colon], bytes.Trim(line[colon+1:], " \t")
		twice := false
		switch len(name) { // most headers are of no interest
		case 2:
			if is(name, "te") {
				return 0, unusual
			}
		case 4:
			if is(name, "host") {
				twice, host = host, true
				if !isHost(value) {
					return 0, unusual
				}
			}
		case 6:
			if is(name, "expect") {
				return 0, unusual
			}
		case 7:
			if is(name, "upgrade") || is(name, "trailer") {
				return 0, unusual
			}
		case 10:
			if is(name, "connection") && !is(value, "keep-alive") {
				return 0, unusual
			}
		case 12:
			if is(name, "content-type") {
				twice, contentType = contentType, true
				keep(&h.contentType, value)
			}
		case 13:
			if is(name, "authorization") {
				twice, authorization = authorization, true
				keep(&h.authorization, value)
			}
		case 14:
			if is(name, "content-length") {
				twice = h.length >= 0
				if h.length, known = number(value); !known {
					return 0, unusual
				}
			}
		case 16:
			if is(name, "content-encoding") || is(name, "proxy-connection") {
				return 0, unusual
			}
		case 17:
			if is(name, "transfer-encoding") {
				return 0, unusual
			}
		}
		if twice {
			return 0, unusual
		}
	}
	if !host || h.length < 0 {
		return 0, unusual
	}
	if !authorization {
		h.authorization = ""
	}
	if !contentType {
		h.contentType = ""
	}
	return len(text) - len(rest), plainHead
}

// keep sets a text, and allocates only where it is another one than before.
func keep(to *string, value []byte) {
	if *to != string(value) {
		*to = string(value)
	}
}

// is compares with lower case.
func is(text []byte, lower string) bool {
	return len(text) == len(lower) && strings.EqualFold(string(text), lower)
}

// number reads a length of at most 12 digits.
func number(text []byte) (n int64, ok bool) {
	if len(text) == 0 || len(text) > 12 {
		return 0, false
	}
	for _, d := range text {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = 10*n + int64(d-'0')
	}
	return n, true
}

// isToken says whether a name has only characters of RFC 9110's token that are in use.
func isToken(name []byte) bool {
	for _, c := range name {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return true
}

// isText says whether a value has printable ASCII, spaces and tabs alone.
func isText(value []byte) bool {
	for _, c := range value {
		if c < ' ' && c != '\t' || c > '~' {
			return false
		}
	}
	return true
}

// isHost says whether a value looks like a name or an address, with or without a port.
func isHost(value []byte) bool {
	for _, c := range value {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == ':' || c == '[' || c == ']' || c == '_') {
			return false
		}
	}
	return len(value) > 0
}
