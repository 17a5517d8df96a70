package resolution

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel/mapping"
	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/identity/match"
)

const rules = `name: people
country: FR
events:
  - type: profile.identified
    record: id
    time: {constant: "2024-01-01T00:00:00Z"}
    channel: crm
    account: {kind: record_id, value: id}
    identifiers:
      - {kind: email, value: email}
      - {kind: phone, value: phone}
    traits: {first_name: first, last_name: last, postcode: postcode, city: city, birth_date: born}
`

const people = `id,first,last,email,phone,postcode,city,born
1,Hélène,Guérineau,helene.guerineau@example.org,0612345678,33000,Bordeaux,1975-03-02
2,Helene,Guerinau,helene.guerineau@example.org,,33000,Bordeaux,
3,Hélène,Guérineau,,06 12 34 56 78,,,1975-03-02
4,Paul,Guérineau,helene.guerineau@example.org,0612345678,33000,Bordeaux,1973-11-21
5,Zoé,Lemercier,zoe@example.net,0698765432,59000,Lille,1990-07-14
`

func given(t *testing.T, columns string) File {
	t.Helper()
	m, err := mapping.Compile([]byte(rules), time.LoadLocation)
	if err != nil {
		t.Fatal(err)
	}
	model, err := match.Shipped("fr")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(path, []byte(columns), 0o600); err != nil {
		t.Fatal(err)
	}
	return File{Path: path, Mapping: m, Model: model, Rules: identity.DefaultRules()}
}

// The records of one person come together, those of her household do not, and no order of the file changes a byte of what is written.
func TestResolve(t *testing.T) {
	f := given(t, people)
	written := func(shuffle *uint64) (profiles, possible string) {
		f.Shuffle = shuffle
		r, err := Resolve(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), "out.csv")
		if err := r.WriteProfiles(out); err != nil {
			t.Fatal(err)
		}
		maybe := filepath.Join(t.TempDir(), "possible.csv")
		if err := r.WritePossible(maybe); err != nil {
			t.Fatal(err)
		}
		if r.Summary.Records != 5 || r.Summary.Profiles != 3 {
			t.Errorf("%d records are %d profiles, want 5 and 3", r.Summary.Records, r.Summary.Profiles)
		}
		p, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		q, err := os.ReadFile(maybe)
		if err != nil {
			t.Fatal(err)
		}
		return string(p), string(q)
	}
	profiles, possible := written(nil)
	of := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(profiles), "\n")[1:] {
		record, profile, _ := strings.Cut(line, ",")
		of[record] = profile
	}
	if of["1"] != of["2"] || of["1"] != of["3"] || of["4"] == of["1"] || of["5"] == of["1"] || of["5"] == of["4"] {
		t.Errorf("who is who:\n%s", profiles)
	}
	for seed := range uint64(5) {
		p, q := written(&seed)
		if p != profiles || q != possible {
			t.Errorf("seed %d gives\n%s%s\nnot\n%s%s", seed, p, q, profiles, possible)
		}
	}
}

// A file without a column that the mapping names is refused by name: who is who without it was not what was asked for.
func TestMissingColumn(t *testing.T) {
	f := given(t, "id,first,last,email,postcode,city,born\n1,a,b,c@example.org,33000,Bordeaux,\n")
	if _, err := Resolve(context.Background(), f); err == nil || !strings.Contains(err.Error(), "phone") {
		t.Errorf("got %v", err)
	}
}
