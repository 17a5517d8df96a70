package main

import (
	"io"
	"log/slog"
)

// logging are the flags that say what a server writes to stderr. What it logs holds no personal value: kinds, hashes, ids and counts only.
type logging struct {
	LogLevel  string `default:"warn" enum:"debug,info,warn,error" help:"What is logged to stderr: debug, info, warn or error."`
	LogFormat string `default:"text" enum:"text,json" help:"How it is written: text, or json with one object a line. The line with which a failed command ends stays text."`
}

// logger writes to out, which is stderr but in tests.
func (l *logging) logger(out io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.LogLevel)); err != nil {
		level = slog.LevelWarn // Unreachable: the flag is an enumeration
	}
	options := &slog.HandlerOptions{Level: level}
	if l.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}
