package importer

import (
	"bytes"
	"context"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/population"
	"github.com/dossier-cdp/dossier/services/generator"
)

// TestGeneratedFiles imports invented customers of each country by the mapping for them: every row is an event.
func TestGeneratedFiles(t *testing.T) {
	for country, name := range map[string]string{"fr": "clients_fr", "gb": "clients_gb"} {
		p, err := population.New(population.Plan{Country: country, People: 300, Seed: 4})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		written, err := generator.Write(context.Background(), &b, p, generator.Options{})
		if err != nil {
			t.Fatal(err)
		}
		log, server := target(t)
		s, err := File(context.Background(), Config{URL: server.URL, Key: "server-key", Mapping: mappingFile(t, name)}, writeFile(t, name+".csv", b.String()))
		if err != nil {
			t.Fatal(err)
		}
		if !s.Complete() || s.Read != int64(written.Records) || len(log.events) != written.Records {
			t.Errorf("%s: %d rows written, %d read, %d events, summary %+v", country, written.Records, s.Read, len(log.events), s)
		}
	}
}
