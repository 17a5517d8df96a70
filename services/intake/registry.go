package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/record"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// Registry gives the schemas that records name, by a number or a GUID. One that is not there is a refusal; every other failure is transient,
// since nothing says that the schema cannot be had later.
type Registry interface {
	Schema(ctx context.Context, id string) (record.SchemaText, error)
}

// HTTPRegistry speaks the HTTP API of Confluent's Schema Registry, which Karapace, Apicurio and Redpanda have, too.
type HTTPRegistry struct {
	URL            string // https://HOST:PORT, and a path if it has one
	User, Password string // empty: none
	Client         *http.Client
}

// The bounds of what a registry is asked for.
const (
	registryWithin = 10 * time.Second
	maxSchema      = 4 << 20 // bytes of one answer
	maxReferences  = 200     // of one schema, in all
)

// registered is what the registry answers.
type registered struct {
	Schema     string `json:"schema"`
	SchemaType string `json:"schemaType"` // absent for Avro
	References []struct {
		Name    string `json:"name"`
		Subject string `json:"subject"`
		Version int    `json:"version"`
	} `json:"references"`
	Code    int    `json:"error_code"` // of a refusal
	Message string `json:"message"`
}

// schemaNotFound is the registry's code for an id that it does not have.
const schemaNotFound = 40403

// Schema asks for a schema and for all that it refers to.
func (g *HTTPRegistry) Schema(ctx context.Context, id string) (record.SchemaText, error) {
	path := "/schemas/ids/" + id
	if strings.Contains(id, "-") {
		path = "/schemas/guids/" + id
	}
	found, err := g.ask(ctx, path)
	if err != nil {
		return record.SchemaText{}, err
	}
	text := record.SchemaText{Type: found.SchemaType, Text: found.Schema}
	if err := g.references(ctx, found, map[string]bool{}, &text); err != nil {
		return record.SchemaText{}, err
	}
	return text, nil
}

// references adds what a schema refers to, each once, behind what that refers to.
func (g *HTTPRegistry) references(ctx context.Context, of *registered, seen map[string]bool, text *record.SchemaText) error {
	for _, r := range of.References {
		key := r.Subject + "\x00" + strconv.Itoa(r.Version) + "\x00" + r.Name
		if seen[key] {
			continue
		}
		seen[key] = true
		if len(seen) > maxReferences {
			return schema.Refuse(channel.CodeSchemaUnknown, "the schema refers to too many others", "")
		}
		found, err := g.ask(ctx, "/subjects/"+url.PathEscape(r.Subject)+"/versions/"+strconv.Itoa(r.Version))
		if err != nil {
			return err
		}
		if err := g.references(ctx, found, seen, text); err != nil {
			return err
		}
		text.References = append(text.References, record.Reference{Name: r.Name, Text: found.Schema})
	}
	return nil
}

func (g *HTTPRegistry) ask(ctx context.Context, path string) (*registered, error) {
	ctx, cancel := context.WithTimeout(ctx, registryWithin)
	defer cancel()
	held := func(err error) error {
		return schema.Classify(schema.Transient, fmt.Errorf("ask the schema registry for %s: %w", path, err))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(g.URL, "/")+path, nil)
	if err != nil {
		return nil, held(errors.New("its address is no URL"))
	}
	request.Header.Set("Accept", "application/vnd.schemaregistry.v1+json, application/json")
	if g.User != "" || g.Password != "" {
		request.SetBasicAuth(g.User, g.Password)
	}
	client := g.Client
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, held(err)
	}
	defer response.Body.Close() //nolint:errcheck // it is read
	body, err := io.ReadAll(io.LimitReader(response.Body, maxSchema+1))
	switch {
	case err != nil:
		return nil, held(err)
	case len(body) > maxSchema:
		return nil, schema.Refuse(channel.CodeSchemaUnknown, "the schema has more than 4 MiB", "")
	}
	found := &registered{}
	parsed := json.Unmarshal(body, found)
	switch {
	case response.StatusCode == http.StatusNotFound && parsed == nil && found.Code == schemaNotFound:
		return nil, schema.Refuse(channel.CodeSchemaUnknown, "the registry has no such schema", "")
	case response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden:
		return nil, held(fmt.Errorf("it refuses the credentials (%d): correct registry-user and registry-password", response.StatusCode))
	case response.StatusCode != http.StatusOK:
		return nil, held(fmt.Errorf("it answers %d", response.StatusCode))
	case parsed != nil || found.Schema == "":
		return nil, held(errors.New("its answer is no schema: is the address that of a registry?"))
	}
	return found, nil
}

// learn asks the registry for the schemas that records name and that are not known yet. What it does not have refuses those records; when it
// cannot be asked, they wait.
func (r *reader) learn(ctx context.Context, records []kafka.Record) error {
	missing := map[string]bool{}
	for n := range records {
		id, unknown := r.t.Unknown(r.record(&records[n]))
		if !unknown || missing[id] {
			continue
		}
		registry, err := r.i.cfg.Registry(r.t.Cluster)
		if err != nil {
			return err
		}
		text, err := registry.Schema(ctx, id)
		switch {
		case err == nil:
			r.t.Learn(id, text)
		case schema.ClassOf(err) == schema.Rejected:
			missing[id] = true
		default:
			return err
		}
	}
	return nil
}
