package kafka

import (
	"context"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	kafkago "github.com/segmentio/kafka-go"
)

// router sends requests over a transport that follows the layout of the topics that were asked for, and of no others: several times
// a second it asks where their leaders are, and a shared cluster may have thousands. The client library fixes the topics of a transport
// when it is made, so another one takes its place when a topic is new; requests under way end on the one that they began on.
type router struct {
	template func(topics []string) *kafkago.Transport

	mu      sync.Mutex
	topics  atomic.Pointer[map[string]bool] // replaced, never changed
	current atomic.Pointer[kafkago.Transport]
}

func newRouter(template func(topics []string) *kafkago.Transport) *router {
	r := &router{template: template}
	r.topics.Store(&map[string]bool{})
	r.current.Store(template([]string{})) // nil would be all topics
	return r
}

// follow makes sure that the layout of these topics is followed.
func (r *router) follow(names ...string) {
	if r.follows(names) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.follows(names) {
		return
	}
	topics := maps.Clone(*r.topics.Load())
	for _, name := range names {
		topics[name] = true
	}
	before := r.current.Swap(r.template(slices.Sorted(maps.Keys(topics))))
	r.topics.Store(&topics)
	before.CloseIdleConnections()
}

func (r *router) follows(names []string) bool {
	topics := *r.topics.Load()
	for _, name := range names {
		if !topics[name] {
			return false
		}
	}
	return true
}

// RoundTrip sends one request.
func (r *router) RoundTrip(ctx context.Context, to net.Addr, request kafkago.Request) (kafkago.Response, error) {
	return r.current.Load().RoundTrip(ctx, to, request)
}

func (r *router) close() { r.current.Load().CloseIdleConnections() }
