package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

type readyCommand struct {
	URL     string        `name:"url" default:"http://127.0.0.1:8080" help:"The process to ask." placeholder:"URL"`
	Timeout time.Duration `default:"4s" help:"How long to wait for its answer."`
}

func (readyCommand) Help() string {
	return `Example: dossier ready --url http://127.0.0.1:8080

Prints what the process says of itself. Exit code 0: it answers rightly; 1: it does not answer, or waits for something, and the line
says for what. Made for health checks of containers, which have no other HTTP client.`
}

// Run asks /readyz.
func (c *readyCommand) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(c.URL, "/")+"/readyz", nil)
	if err != nil {
		return &exit{exitMisused, fmt.Errorf("--url %s is not an address: write it as http://HOST:PORT", c.URL)}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("nobody answers at %s: is it running?", c.URL)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return fmt.Errorf("the answer of %s breaks off: %w", c.URL, err)
	}
	line := strings.TrimSpace(string(text))
	if response.StatusCode != http.StatusOK {
		return errors.New(line)
	}
	fmt.Println(line)
	return nil
}
