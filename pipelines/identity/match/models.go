package match

import (
	"embed"
	"fmt"
	"sort"
	"strings"
)

// The models were estimated without labels, fr on French customers and en on historical and synthetic people, beginning with testdata/start.
// fr-careful is fr with more asked for: caution and margin, a mailbox that names somebody else counts, and two mailboxes keep apart whom
// nothing but a name brings together. How their weights become probabilities was fitted to labels, of the file that they were estimated on and, for fr, of invented customers.
//
//go:embed models/*.json
var models embed.FS

// Default names the model that records of a country (ISO 3166 alpha-2) are weighed with if nothing else is said.
func Default(country string) string {
	if country == "FR" {
		return "fr"
	}
	return "en"
}

// Names lists the models that ship with the binary.
func Names() []string {
	entries, err := models.ReadDir("models")
	if err != nil {
		return nil // an embedded folder is always there
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".json"))
	}
	sort.Strings(names)
	return names
}

// Shipped gives a model that ships with the binary.
func Shipped(name string) (*Model, error) {
	text, err := models.ReadFile("models/" + name + ".json")
	if err != nil {
		return nil, invalid("there is no model %s; the models are: %s", name, strings.Join(Names(), ", "))
	}
	m, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("read the model %s: %w", name, err)
	}
	return m, nil
}
