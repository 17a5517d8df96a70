package broker

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kfake"
)

// journal hands the engine's warnings on and counts the one that means lost bytes.
type journal struct {
	log         *slog.Logger
	truncations atomic.Int64
}

// Truncations counts the engine's reports that it cut a segment off.
func (j *journal) Truncations() int64 { return j.truncations.Load() }

// Logf implements kfake.Logger.
func (j *journal) Logf(level kfake.LogLevel, format string, args ...any) {
	if level == kfake.LogLevelNone || level > kfake.LogLevelWarn {
		return
	}
	if strings.Contains(format, "truncating") {
		j.truncations.Add(1)
	}
	severity := slog.LevelWarn
	if level == kfake.LogLevelError {
		severity = slog.LevelError
	}
	j.log.Log(context.Background(), severity, "embedded log: "+fmt.Sprintf(format, args...))
}
