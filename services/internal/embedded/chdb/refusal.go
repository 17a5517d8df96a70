package chdb

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// The engine's codes that this package itself raises or treats apart.
const (
	codeSyntax       = 62
	codeUnknown      = 1002
	codeCannotRead   = 33
	codeUnauthorized = 516
)

var exceptionCode = regexp.MustCompile(`Code:\s*(\d+)\.`)

// refuse writes an exception's text in the engine's own shape.
func refuse(code int, name, message string) error {
	return engineError("Code: " + strconv.Itoa(code) + ". DB::Exception: " + message + ". (" + name + ")")
}

type engineError string

func (e engineError) Error() string { return string(e) }

// exceptionText is what a client gets: the code, and the text with code, name and version as every server writes it.
func exceptionText(err error, version string) (int, string) {
	text := strings.TrimRight(err.Error(), "\n ")
	code := codeUnknown
	if m := exceptionCode.FindStringSubmatch(text); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			code = n
		}
	} else {
		text = "Code: " + strconv.Itoa(codeUnknown) + ". DB::Exception: " + text + ". (UNKNOWN_EXCEPTION)"
	}
	if !strings.Contains(text, "(version ") {
		text += " (version " + version + " (official build))"
	}
	return code, text
}

// statusOf is the HTTP status that a server uses for an exception code.
func statusOf(code int) int {
	switch code {
	case 194: // REQUIRED_PASSWORD
		return http.StatusUnauthorized
	case 192, 193, 473, 497, codeUnauthorized: // users and rights
		return http.StatusForbidden
	case 6, 26, 27, 33, 34, 35, 36, 38, 41, 42, 43, 44, 53, codeSyntax, 69, 70, 72, 117, 130, 131, 321, 349, 386, 407, 452, 456, 457: // syntax, parse, type
		return http.StatusBadRequest
	case 16, 46, 47, 50, 56, 60, 81, 115: // unknown object or setting
		return http.StatusNotFound
	case 159: // TIMEOUT_EXCEEDED
		return http.StatusRequestTimeout
	case 373: // SESSION_IS_LOCKED
		return http.StatusLocked
	case 48: // NOT_IMPLEMENTED
		return http.StatusNotImplemented
	case 202, 209: // too many queries, SOCKET_TIMEOUT
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
