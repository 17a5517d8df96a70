package e2e

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	wire "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/dossier-cdp/dossier/schema"
)

// TestTraces follows one event from the request that brings it to the timeline, and a query, as an OTLP receiver sees them. Requests
// whose senders do not ask for it are not traced.
func TestTraces(t *testing.T) {
	besideOthers(t)
	var mu sync.Mutex
	spans := map[string][]*wire.Span{}
	to := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var got wire.TracesData
		if err != nil || proto.Unmarshal(body, &got) != nil {
			t.Errorf("not OTLP: %v", err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, resource := range got.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				for _, span := range scope.Spans {
					spans[span.Name] = append(spans[span.Name], span)
				}
			}
		}
	}))
	t.Cleanup(to.Close) // after the installation has ended
	i := install(t, "--otlp", to.URL, "--otlp-share", "0")
	const sent, asked = "0af7651916cd43dd8448eb211c80319c", "1bf7651916cd43dd8448eb211c80319d"
	parent := func(trace string) []string { return []string{"traceparent", "00-" + trace + "-b7ad6b7169203331-01"} }

	if a := i.raw(t, "/v1/events", basic(i.WriteKey), strings.NewReader(strings.Replace(good, `"good"`, `"untraced"`, 1))); a.Accepted != 1 {
		t.Fatalf("not accepted: %+v", a)
	}
	if a := i.raw(t, "/v1/events", basic(i.WriteKey), strings.NewReader(good), parent(sent)...); a.Accepted != 1 {
		t.Fatalf("not accepted: %+v", a)
	}
	i.wait(t)
	installedIn(t, "", "kcat")
	headers := runIn(t, "", "kcat", "-C", "-b", i.broker(t), "-t", i.topic(schema.TopicEvents), "-e", "-q", "-f", `[%h]\n`)
	if text := string(headers); strings.Count(text, "[]\n") != 1 || strings.Count(text, "[traceparent=00-"+sent+"-") != 1 {
		t.Errorf("kcat shows the headers %q, want one traceparent for the one traced event", headers)
	}
	query := `{"query":"{ dossiers(identifier: {kind: \"crm_id\", value: \"1\"}) { id } }"}`
	if a := i.raw(t, "/graphql", "Bearer "+i.APIToken, strings.NewReader(query), append(parent(asked), "Content-Type", "application/json")...); a.status != 200 {
		t.Fatalf("not answered: %+v", a)
	}

	want := []string{"collector accept", "log append", "identity fold", "timeline insert", "graphql query"}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		mu.Lock()
		seen := len(spans)
		mu.Unlock()
		if seen >= len(want) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("only %v came", spans)
		}
	}
	i.down(t)
	mu.Lock()
	defer mu.Unlock()
	for _, name := range want {
		if len(spans[name]) != 1 {
			t.Fatalf("%d spans %q, want the one that was asked for", len(spans[name]), name)
		}
	}
	accept, written, query2 := spans[want[0]][0], spans[want[1]][0], spans[want[4]][0]
	if got := hex.EncodeToString(accept.TraceId); got != sent {
		t.Errorf("the request is of trace %s", got)
	}
	if string(written.ParentSpanId) != string(accept.SpanId) {
		t.Error("the append is no child of the request")
	}
	if got := hex.EncodeToString(query2.TraceId); got != asked {
		t.Errorf("the query is of trace %s", got)
	}
	for _, name := range want[2:4] {
		links := spans[name][0].Links
		if len(links) != 1 || string(links[0].SpanId) != string(written.SpanId) || hex.EncodeToString(links[0].TraceId) != sent {
			t.Errorf("%s is linked to %v", name, links)
		}
	}
}
