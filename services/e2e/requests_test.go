package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// client is what a well-behaved sender uses.
var client = &http.Client{Timeout: patience}

// basic is how Segment's SDKs carry a write key.
func basic(key string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(key+":"))
}

// post sends a body as JSON and gives the status and the answer.
func (i *installation) post(t *testing.T, path, authorization string, body []byte) (int, []byte) {
	t.Helper()
	status, answer, err := i.tryPost(t.Context(), path, authorization, body)
	if err != nil {
		t.Fatal(err)
	}
	return status, answer
}

func (i *installation) tryPost(ctx context.Context, path, authorization string, body []byte) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, i.URL+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close() //nolint:errcheck // it is read to its end
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

// receipt is what /v1/events answers.
type receipt struct {
	Accepted int
	Refused  []struct {
		Index                  int
		ID, Code, Reason, Hint string
	}
	IDs []string
}

// unavailable is an answer after which a sender tries again.
var errUnavailable = errors.New("not available")

// offer posts native events once. Refusals are in the receipt.
func (i *installation) offer(ctx context.Context, authorization string, events ...json.RawMessage) (receipt, error) {
	var r receipt
	body := []byte("[")
	for n, event := range events {
		if n > 0 {
			body = append(body, ',')
		}
		body = append(body, event...) // as it is: encoding/json would rewrite it
	}
	status, answer, err := i.tryPost(ctx, "/v1/events", authorization, append(body, ']'))
	switch {
	case err != nil:
		return r, fmt.Errorf("%w: %w", errUnavailable, err)
	case status == http.StatusServiceUnavailable:
		return r, fmt.Errorf("%w: %s", errUnavailable, answer)
	case status != http.StatusOK && status != http.StatusBadRequest:
		return r, fmt.Errorf("%d: %s", status, answer)
	}
	if err := json.Unmarshal(answer, &r); err != nil {
		return r, err
	}
	if r.Accepted+len(r.Refused) != len(events) {
		return r, fmt.Errorf("%d: %s", status, answer)
	}
	return r, nil
}

// trySend posts native events once. An error other than errUnavailable means that some were refused.
func (i *installation) trySend(ctx context.Context, authorization string, events ...json.RawMessage) (receipt, error) {
	r, err := i.offer(ctx, authorization, events...)
	if err == nil && len(r.Refused) > 0 {
		err = fmt.Errorf("refused: %+v", r.Refused)
	}
	return r, err
}

// send posts native events, all of which must be accepted, again and again while the installation is away.
func (i *installation) send(t *testing.T, authorization string, events ...json.RawMessage) []string {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		r, err := i.trySend(t.Context(), authorization, events...)
		if err == nil {
			return r.IDs
		}
		if !errors.Is(err, errUnavailable) || time.Since(begun) > patience {
			t.Fatal(err)
		}
	}
}

// graphqlError is one error of an answer.
type graphqlError struct {
	Message    string
	Extensions struct{ Code string }
}

// ask runs a GraphQL document with a token.
func (i *installation) ask(t *testing.T, token, document string, variables map[string]any, out any) []graphqlError {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	_, answer := i.post(t, "/graphql", "Bearer "+token, body)
	var decoded struct {
		Data   json.RawMessage
		Errors []graphqlError
	}
	if err := json.Unmarshal(answer, &decoded); err != nil {
		t.Fatalf("%s: %v", answer, err)
	}
	if out != nil && len(decoded.Data) > 0 {
		if err := json.Unmarshal(decoded.Data, out); err != nil {
			t.Fatalf("%s: %v", answer, err)
		}
	}
	return decoded.Errors
}

// query runs a GraphQL document that succeeds.
func (i *installation) query(t *testing.T, document string, variables map[string]any, out any) {
	t.Helper()
	if errs := i.ask(t, i.APIToken, document, variables, out); len(errs) > 0 {
		t.Fatalf("%s: %+v", strings.TrimSpace(document), errs)
	}
}
