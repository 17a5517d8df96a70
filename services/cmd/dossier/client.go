package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/dossier-cdp/dossier/services/audit"
)

// credentials is what a first start leaves in DIR/credentials.json (mode 0600).
type credentials struct {
	Workspace string `json:"workspace"`
	URL       string `json:"url"`
	WriteKey  string `json:"writeKey"`  // server key: secret
	ClientKey string `json:"clientKey"` // browser key: public
	APIToken  string `json:"apiToken"`  // a token with all scopes
}

// target is where a command finds the installation.
type target struct {
	Data  string `default:"./dossier-data" type:"path" help:"The data folder of the installation; its credentials.json is read." placeholder:"DIR"`
	URL   string `help:"Address of the installation, instead of the one in credentials.json." placeholder:"URL"`
	Token string `help:"Token, instead of the one in credentials.json." placeholder:"TOKEN"`

	Purpose string `help:"What for; recorded with what is shown of people." placeholder:"TEXT"`
}

func (t *target) credentials() (credentials, error) {
	var c credentials
	if t.URL != "" && t.Token != "" {
		return credentials{URL: t.URL, APIToken: t.Token}, nil
	}
	path := filepath.Join(t.Data, "credentials.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return c, &exit{exitFailed, fmt.Errorf("there is no %s: start an installation with 'dossier up --data %s', or name one with --data, or with --url and --token", path, t.Data)}
	}
	if err != nil {
		return c, fmt.Errorf("read the credentials: %w", err)
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, fmt.Errorf("%s is not the JSON that 'dossier up' wrote: %w", path, err)
	}
	if t.URL != "" {
		c.URL = t.URL
	}
	if t.Token != "" {
		c.APIToken = t.Token
	}
	return c, nil
}

// client speaks to a running installation.
type client struct {
	credentials
	purpose string
	http    http.Client
}

func (t *target) client() (*client, error) {
	c, err := t.credentials()
	if err != nil {
		return nil, err
	}
	return &client{credentials: c, purpose: t.Purpose}, nil
}

// apiError is what the installation answered instead of a result.
type apiError struct {
	Code, Message, Hint string
	Profiles            []string // of an identifier that several people have
	Extensions          map[string]any
}

func (e *apiError) Error() string {
	text := e.Message
	if e.Code != "" {
		text = e.Code + ": " + text
	}
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

func (c *client) do(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var reader io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		reader = bytes.NewReader(b)
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.URL, "/")+path, reader)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.APIToken)
	if c.purpose != "" {
		request.Header.Set(audit.PurposeHeader, c.purpose)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s does not answer: %w; is 'dossier up' running?", c.URL, errors.Unwrap(err))
	}
	if response.StatusCode/100 == 2 {
		return response, nil
	}
	defer response.Body.Close()
	var answer struct {
		Error  apiError       `json:"error"`
		Errors []graphqlError `json:"errors"` // of /graphql
	}
	raw, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", path, response.Status, err)
	}
	faulty := json.Unmarshal(raw, &answer)
	if faulty == nil && len(answer.Errors) > 0 {
		return nil, answer.Errors[0].apiError()
	}
	if faulty != nil && response.StatusCode == http.StatusNotFound {
		return nil, fmt.Errorf("%s answers no %s: it may be a process without the role api; give the address of one with --url, or --public-url to the keeper", c.URL, path)
	}
	if faulty != nil || answer.Error.Message == "" {
		return nil, fmt.Errorf("%s: %s: %s", path, response.Status, strings.TrimSpace(string(raw)))
	}
	return nil, &answer.Error
}

// call asks a management path and decodes its JSON into out.
func (c *client) call(ctx context.Context, method, path string, body, out any) error {
	response, err := c.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		return fmt.Errorf("%s: the answer is not JSON: %w", path, err)
	}
	return nil
}

// graphqlError is an error as GraphQL writes it.
type graphqlError struct {
	Message    string         `json:"message"`
	Extensions map[string]any `json:"extensions"`
}

func (e *graphqlError) apiError() *apiError {
	code, _ := e.Extensions["code"].(string)
	hint, _ := e.Extensions["hint"].(string)
	return &apiError{Code: code, Message: e.Message, Hint: hint, Extensions: e.Extensions}
}

// query runs a GraphQL document. An error of the answer comes back as *apiError with its code.
func (c *client) query(ctx context.Context, document string, variables map[string]any, out any) error {
	var answer struct {
		Data   json.RawMessage `json:"data"`
		Errors []graphqlError  `json:"errors"`
	}
	err := c.call(ctx, http.MethodPost, "/graphql", map[string]any{"query": document, "variables": variables}, &answer)
	if err != nil {
		return err
	}
	if len(answer.Errors) > 0 {
		return answer.Errors[0].apiError()
	}
	return json.Unmarshal(answer.Data, out)
}

// printJSON writes v indented to stdout.
func printJSON(v any) error { return writeJSONTo(os.Stdout, v) }

func writeJSONTo(to io.Writer, v any) error {
	encoder := json.NewEncoder(to)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}
