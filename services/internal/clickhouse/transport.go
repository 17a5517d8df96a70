package clickhouse

import (
	"io"
	"net/http"
	"sync/atomic"
)

// replayableKey marks the context of a statement that changes nothing.
type replayableKey struct{}

// sentBytesKey carries a counter of the bytes of an INSERT's rows.
type sentBytesKey struct{}

// transport adds two things to the driver's own: reads are sent again when a kept connection turns out dead (POST is not
// otherwise), and the rows of a batch are counted.
//
// The count guards against a fault of the driver: when a batch cannot be encoded, it sends an empty body, and the server
// acknowledges that nothing was inserted.
type transport struct{ base http.RoundTripper }

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	replay := ctx.Value(replayableKey{}) != nil
	counter, counted := ctx.Value(sentBytesKey{}).(*atomic.Int64)
	if !replay && !counted {
		return t.base.RoundTrip(r)
	}
	r = r.Clone(ctx)
	if replay {
		// An empty list marks the request as one that may be repeated, and is not sent.
		r.Header["Idempotency-Key"] = []string{}
	}
	if counted && r.Body != nil && r.URL.Query().Get("query") != "" {
		r.Body = &countedBody{r.Body, counter}
	}
	return t.base.RoundTrip(r)
}

// CloseIdleConnections lets http.Client reach the driver's transport, which closes its connections this way.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

type countedBody struct {
	io.ReadCloser
	n *atomic.Int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	return n, err
}
