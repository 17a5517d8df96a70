package graphql_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/care/metric"
)

// Each metric of the catalogue is a field of Metrics, and none is there without it.
func TestFieldsAreTheCatalogue(t *testing.T) {
	var fields, names []string
	for line := range strings.Lines(graphql.SDL()) {
		if name, ok := strings.CutSuffix(strings.TrimSpace(line), "(of: MetricInput): Metric"); ok {
			fields = append(fields, name)
		}
	}
	for _, d := range metric.Catalogue() {
		names = append(names, d.Name)
	}
	slices.Sort(fields)
	slices.Sort(names)
	if !slices.Equal(fields, names) {
		t.Errorf("the SDL has %v, the catalogue %v", fields, names)
	}
}
