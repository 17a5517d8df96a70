package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// streams are the clients of Stream, one for each Conn.
type streams struct {
	once   sync.Once
	client *http.Client
}

// Stream runs a read and gives its answer as the server writes it in one of its formats, such as CSVWithNames or Parquet. A read that the
// server refuses is an error; one that breaks off later is an error of the reader, so an answer that ends is whole. Close it.
func (c *Conn) Stream(ctx context.Context, sql string, params Params, settings Settings, format string) (io.ReadCloser, error) {
	texts, err := params.texts()
	if err != nil {
		return nil, err
	}
	endpoint := c.Endpoint()
	c.streams.once.Do(func() {
		c.streams.client = &http.Client{Transport: &http.Transport{TLSClientConfig: endpoint.TLS, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute}}
	})
	values := url.Values{"database": {endpoint.Database}, "default_format": {format}, "session_timezone": {"UTC"}}
	for name, value := range settings {
		values.Set(name, fmt.Sprint(value))
	}
	for name, text := range texts {
		values.Set("param_"+name, text)
	}
	address := endpoint.URL
	address.RawQuery = values.Encode()
	ask, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), strings.NewReader(sql))
	if err != nil {
		return nil, schema.Classify(schema.Fatal, fmt.Errorf("ask for a stream: %w", errors.Unwrap(err))) // the outer error has the address
	}
	ask.SetBasicAuth(endpoint.User, endpoint.Password)
	answer, err := c.streams.client.Do(ask)
	if err != nil {
		return nil, schema.Classify(schema.Transient, fmt.Errorf("ask for a stream: %w", errors.Unwrap(err)))
	}
	if answer.StatusCode != http.StatusOK {
		defer answer.Body.Close()
		text, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
		if err != nil {
			return nil, schema.Classify(schema.Transient, fmt.Errorf("ask for a stream: %w", err))
		}
		return nil, schema.Classify(schema.Fatal, fmt.Errorf("ask for a stream: %s", strings.TrimSpace(string(text))))
	}
	return answer.Body, nil
}
