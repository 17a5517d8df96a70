package manage

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/backup"
)

// source answers with what it was asked for.
type source struct{}

func (source) Plan(context.Context) (*backup.Plan, error) {
	return &backup.Plan{Installation: "i", Parts: []backup.PlanPart{{Topic: "events", Generation: 1, Partition: 2, Records: 3}}}, nil
}

func (source) Segment(_ context.Context, part archive.Part, name string) ([]byte, error) {
	return fmt.Appendf(nil, "%s %s", part, name), nil
}

func (source) Range(_ context.Context, part archive.Part, from, next int64) ([]byte, error) {
	if next > 100 {
		return nil, schema.Refuse("range_invalid", "there are 100 records", "")
	}
	return fmt.Appendf(nil, "%s %d %d", part, from, next), nil
}

// copies knows one copy.
type copies struct{}

func (copies) Copy(_ context.Context, name, actor string) ([]byte, error) {
	return fmt.Appendf(nil, "a copy called %s for %s", name, actor), nil
}

func (copies) Destroyed(_ context.Context, name, _ string) (bool, error) { return name == "safe", nil }

func (copies) List() []RingCopyLine { return []RingCopyLine{{Name: "safe", Current: true}} }

const aSegment = "/v1/backup/segments/events/1/2/" + "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" + ".segment"

// TestBackupPaths: what a backup asks for comes as it is, and a path cannot name anything but a partition and a file of it.
func TestBackupPaths(t *testing.T) {
	i := install(t)
	token := i.token(t, "main", "admin", "privacy")
	for _, c := range []struct {
		method, path string
		status       int
		answer       string // what the body contains, or the code of a refusal
	}{
		{"GET", "/v1/backup", 200, `"records":3`},
		{"GET", aSegment, 200, "events/g1/2 0123"},
		{"GET", strings.Replace(aSegment, ".segment", ".index", 1), 404, "file_unknown"},
		{"GET", "/v1/backup/segments/events/1/2/..%2f..%2fkeys", 404, "file_unknown"},
		{"GET", "/v1/backup/segments/..%2fkeys/1/2/x.segment", 404, "part_unknown"},
		{"GET", "/v1/backup/segments/coordination/0/0/x.segment", 404, "part_unknown"},
		{"GET", "/v1/backup/segments/events/-1/2/x.segment", 404, "part_unknown"},
		{"GET", "/v1/backup/segments/events/1/99999999999999999999/x.segment", 404, "part_unknown"},
		{"GET", "/v1/backup/ranges/events/1/2/10/20", 200, "events/g1/2 10 20"},
		{"GET", "/v1/backup/ranges/events/1/2/20/20", 400, "range_invalid"},
		{"GET", "/v1/backup/ranges/events/1/2/x/20", 400, "range_invalid"},
		{"GET", "/v1/backup/ranges/events/1/2/0/101", 400, "range_invalid"},
		{"GET", "/v1/ring/copies", 200, `"safe"`},
		{"POST", "/v1/ring/copies/bank", 200, "a copy called bank for ann"},
		{"DELETE", "/v1/ring/copies/safe", 200, "safe"},
		{"DELETE", "/v1/ring/copies/bank", 404, "copy_unknown"},
	} {
		status, answer, code := i.call(t, c.method, c.path, token, "")
		if status != c.status || !strings.Contains(answer, c.answer) && code != c.answer {
			t.Errorf("%s %s: %d %s %q", c.method, c.path, status, code, answer)
		}
	}
}

// TestRemote: a backup over these paths gets what the source has, and a plan that names other files is not followed.
func TestRemote(t *testing.T) {
	i := install(t)
	token := i.token(t, "main", "admin")
	remote := backup.Remote{Get: func(_ context.Context, path string) (*http.Response, error) {
		r, w := httptest.NewRequest("GET", path, nil), httptest.NewRecorder()
		r.Header.Set("Authorization", "Bearer "+token)
		i.handler.ServeHTTP(w, r)
		if w.Code != 200 {
			return nil, fmt.Errorf("%d %s", w.Code, w.Body)
		}
		return w.Result(), nil
	}}
	plan, err := remote.Plan(t.Context())
	if err != nil || plan.Installation != "i" || plan.Parts[0].Records != 3 {
		t.Errorf("plan %+v %v", plan, err)
	}
	part := archive.Part{Topic: "events", Generation: 1, Partition: 2}
	name := aSegment[strings.LastIndex(aSegment, "/")+1:]
	if b, err := remote.Segment(t.Context(), part, name); err != nil || string(b) != "events/g1/2 "+name {
		t.Errorf("segment %q %v", b, err)
	}
	if b, err := remote.Range(t.Context(), part, 10, 20); err != nil || string(b) != "events/g1/2 10 20" {
		t.Errorf("range %q %v", b, err)
	}
	if _, err := remote.Range(t.Context(), part, 10, 200); err == nil {
		t.Error("a refusal is no error")
	}
	for _, topic := range []string{"../keys", "", "coordination"} {
		text, err := json.Marshal(backup.Plan{Parts: []backup.PlanPart{{Topic: topic}}})
		if err != nil {
			t.Fatal(err)
		}
		evil := backup.Remote{Get: func(context.Context, string) (*http.Response, error) {
			w := httptest.NewRecorder()
			if _, err := w.Write(text); err != nil {
				return nil, err
			}
			return w.Result(), nil
		}}
		if _, err := evil.Plan(t.Context()); err == nil {
			t.Errorf("a plan of the topic %q was taken", topic)
		}
	}
}
