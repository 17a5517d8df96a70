package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dossier-cdp/dossier/graphql"
)

// maxBody is how many bytes a POST has, which may carry a whole configuration.
const maxBody = 2 << 20

// toExplorer says whether a browser was pointed at /graphql.
func toExplorer(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.RawQuery == "" && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// negotiate chooses the media type of the answer: the better liked of the two. If both are liked as much, the client that names the
// new one gets it, and one that takes anything gets the old one.
func negotiate(accept []string) (string, error) {
	if len(accept) == 0 {
		return legacyType, nil
	}
	// The weight of a type is that of the most exact range that names it.
	type weight struct{ exact, q float64 }
	weights := map[string]weight{}
	for _, part := range strings.Split(strings.Join(accept, ","), ",") {
		named, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
			continue
		}
		q := 1.0
		if text, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		for _, offered := range []string{legacyType, responseType} {
			exact := 0.0
			switch named {
			case offered:
				exact = 3
			case "application/*":
				exact = 2
			case "*/*":
				exact = 1
			}
			if exact > weights[offered].exact {
				weights[offered] = weight{exact, q}
			}
		}
	}
	old, current := weights[legacyType].q, weights[responseType].q
	switch {
	case old == 0 && current == 0:
		return "", &refusal{http.StatusNotAcceptable, "NOT_ACCEPTABLE", "none of the media types in Accept is offered here", "accept " + responseType + " or " + legacyType}
	case current > old, current == old && weights[responseType].exact == 3:
		return responseType, nil
	}
	return legacyType, nil
}

// read takes the request of GraphQL out of one of HTTP. Every error is a *refusal.
func (a *API) read(w http.ResponseWriter, r *http.Request) (graphql.Request, error) {
	switch r.Method {
	case http.MethodGet:
		return a.readURL(r.URL.RawQuery)
	case http.MethodPost:
		return a.readBody(w, r)
	}
	return graphql.Request{}, &refusal{http.StatusMethodNotAllowed, graphql.CodeMethod, "GraphQL is asked by GET or POST", "POST a JSON body with query and variables"}
}

func bad(format string, args ...any) error {
	return &refusal{http.StatusBadRequest, "BAD_REQUEST", fmt.Sprintf(format, args...), `send {"query": "…", "variables": {…}, "operationName": "…"}`}
}

func (a *API) readURL(raw string) (graphql.Request, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return graphql.Request{}, bad("the address is not URL-encoded")
	}
	out := graphql.Request{Query: values.Get("query"), OperationName: values.Get("operationName"), ReadOnly: true}
	if !utf8.ValidString(out.Query) {
		return out, bad("the parameter query is not UTF-8")
	}
	var extensions map[string]any
	for name, into := range map[string]*map[string]any{"variables": &out.Variables, "extensions": &extensions} {
		text := values.Get(name)
		if text == "" {
			continue
		}
		var members map[string]any
		if err := json.Unmarshal([]byte(text), &members); err != nil {
			return out, bad("the parameter %s is not a JSON object", name)
		}
		*into = members
	}
	if out.Query, err = a.persisted.resolve(out.Query, extensions); err != nil {
		return out, err
	}
	if out.Query == "" {
		return out, bad("the parameter query is missing")
	}
	return out, nil
}

func (a *API) readBody(w http.ResponseWriter, r *http.Request) (out graphql.Request, err error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return out, &refusal{http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "the body is not declared as JSON", "send the header 'Content-Type: application/json'"}
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "utf8") {
		return out, &refusal{http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "JSON is UTF-8", "send the body in UTF-8"}
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return out, &refusal{http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "a compressed body is not taken here", "send the body as it is"}
	}
	body, err := a.readAll(w, r)
	if err != nil {
		return out, err
	}
	if !utf8.Valid(body) {
		return out, bad("the body is not UTF-8")
	}
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '[' {
		return out, &refusal{http.StatusBadRequest, "BATCHING_NOT_SUPPORTED", "several operations in one request are not taken", "send one operation a request; one document may ask for several root fields"}
	}
	var in struct {
		Query         *string        `json:"query"`
		OperationName *string        `json:"operationName"`
		Variables     map[string]any `json:"variables"`
		Extensions    map[string]any `json:"extensions"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		wrongType, syntax := (*json.UnmarshalTypeError)(nil), (*json.SyntaxError)(nil)
		switch {
		case errors.As(err, &wrongType) && wrongType.Field != "":
			return out, bad("%s is a JSON %s, which it must not be", wrongType.Field, wrongType.Value)
		case errors.As(err, &syntax):
			return out, bad("the body is not JSON: fault at byte %d of %d", syntax.Offset, len(body))
		}
		return out, bad("the body is not a JSON object")
	}
	if in.Query != nil {
		out.Query = *in.Query
	}
	if out.Query, err = a.persisted.resolve(out.Query, in.Extensions); err != nil {
		return out, err
	}
	if out.Query == "" {
		return out, bad("query is missing")
	}
	out.Variables = in.Variables
	if in.OperationName != nil {
		out.OperationName = *in.OperationName
	}
	return out, nil
}

// readAll reads a body within its bounds of size; answer has bounded its time.
func (a *API) readAll(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	tooLarge := (*http.MaxBytesError)(nil)
	switch {
	case errors.As(err, &tooLarge):
		return nil, &refusal{http.StatusRequestEntityTooLarge, graphql.CodeTooLarge, fmt.Sprintf("the body has more than %d bytes", maxBody), "ask for less at once"}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &refusal{http.StatusRequestTimeout, graphql.CodeTimeout, "the body did not arrive in time", "send it at once"}
	case err != nil:
		return nil, bad("the body ends before its declared length")
	case len(body) == 0:
		return nil, bad("the body is empty")
	}
	return body, nil
}

// deadline ends reads of the request at a time.
func deadline(w http.ResponseWriter, at time.Time) error {
	if err := http.NewResponseController(w).SetReadDeadline(at); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return bad("the body cannot be read")
	}
	return nil
}
