package manage

import (
	"bufio"
	"context"
	"io"
	"net/http"

	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/internal/access"
	"github.com/dossier-cdp/dossier/services/replay"
)

// Replay writes events back, sorted by (OccurredAt, id), each once. It calls begin with the end of the log that it is bound to before it writes
// anything; an error before that is one of the question.
type Replay func(ctx context.Context, workspace string, w io.Writer, o ReplayOptions, begin func(replay.End)) error

// ReplayOptions say which events, and how they are written.
type ReplayOptions struct {
	replay.Encoder
	Select archive.Filter
	After  replay.Cursor // behind which event to begin
	End    replay.End    // the end of the log that an earlier part was bound to; nil: as it is now
}

// EndHeader names the end of the log that an answer is bound to.
const EndHeader = "Dossier-Log-End"

func (s *server) replayPaths(mux *http.ServeMux) {
	if s.Replay == nil {
		return
	}
	mux.Handle("GET /v1/replay", s.needs([]string{access.ScopeRead}, s.replay(false)))
	mux.Handle("GET /v1/replay/personal", s.needs([]string{access.ScopeRead, access.ScopePrivacy}, s.replay(true)))
}

// replay answers with lines. Of a cut answer the trailer Dossier-Error says why; the asker carries on behind the last line.
func (s *server) replay(personal bool) handler {
	return func(w http.ResponseWriter, r *http.Request, t access.Token) (err error) {
		q := r.URL.Query()
		o := ReplayOptions{Encoder: replay.Encoder{Personal: personal, Clocks: q.Get("clocks") != ""}}
		if o.Format, err = replay.ParseFormat(q.Get("format")); err != nil {
			return &refusal{400, "format_invalid", err.Error(), "Parquet is made of ndjson by 'dossier replay'"}
		}
		if o.Select, err = selection(r); err != nil {
			return err
		}
		if o.Select.From != 0 && o.Select.To != 0 && o.Select.From >= o.Select.To {
			return &refusal{400, "range_empty", "from is not before to: there is nothing between them", "give the earlier time as from; events at the time of to are left out"}
		}
		if o.After, err = replay.ParseCursor(q.Get("after")); err != nil {
			return &refusal{400, "after_invalid", err.Error(), "leave it out to begin anew"}
		}
		if o.End, err = replay.ParseEnd(q.Get("end")); err != nil {
			return &refusal{400, "end_invalid", err.Error(), "leave it out for everything up to now"}
		}
		out, begun := bufio.NewWriterSize(w, 1<<16), false
		err = s.Replay(r.Context(), t.Workspace, out, o, func(end replay.End) {
			begun = true
			w.Header().Set("Content-Type", "application/x-ndjson")
			w.Header().Set(EndHeader, end.String())
			w.Header().Set("Trailer", "Dossier-Error")
			w.WriteHeader(http.StatusOK)
		})
		if err == nil {
			err = out.Flush()
		}
		if err != nil && begun {
			w.Header().Set("Dossier-Error", err.Error())
			return nil
		}
		return err
	}
}
