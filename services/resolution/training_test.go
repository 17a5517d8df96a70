package resolution

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity/match"
)

// couples is people whom the model takes for one by their name and town, each with two mailboxes that only the label knows for theirs.
func couples(n int) string {
	var b strings.Builder
	b.WriteString("id,first,last,email,phone,postcode,city,born,who\n")
	for i := range n {
		fmt.Fprintf(&b, "%d,Camille,Durand%c%c,first%d@example.org,,%05d,Ville,,p%d\n", 2*i, 'a'+i%26, 'a'+i/26, i, 10000+i, i)
		fmt.Fprintf(&b, "%d,Camille,Durand%c%c,second%d@example.net,,%05d,Ville,,p%d\n", 2*i+1, 'a'+i%26, 'a'+i/26, i, 10000+i, i)
	}
	return b.String()
}

func trained(t *testing.T, f File, labels, answers string) (*match.Model, Taught) {
	t.Helper()
	m, taught, err := Train(context.Background(), Training{
		Path: f.Path, Mapping: f.Mapping, Rules: f.Rules, Start: f.Model, Labels: labels, Answers: answers, How: match.Training{Rounds: 1, Samples: 20_000, Seed: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m, taught
}

// mailboxes gives how likely one person's two records have mailboxes that differ.
func mailboxes(m *match.Model) float64 {
	for i := range m.Fields {
		if m.Fields[i].Name == "email" {
			return m.Fields[i].Levels[4].M
		}
	}
	return 0
}

// Labels, and answers to possible matches, change what is estimated: people of whom the model knows but one mailbox have two.
func TestTrainingWithLabels(t *testing.T) {
	f := given(t, couples(600))
	m, err := match.Shipped("en")
	if err != nil {
		t.Fatal(err)
	}
	f.Model = m
	alone, _ := trained(t, f, "", "")
	labelled, taught := trained(t, f, "who", "")
	if taught.Labelled != 1200 {
		t.Errorf("%d labelled cores", taught.Labelled)
	}
	if a, b := mailboxes(alone), mailboxes(labelled); b < .5 || b < a {
		t.Errorf("two mailboxes of one person: %v without labels, %v with", a, b)
	}
	var answers strings.Builder
	answers.WriteString("record_a,record_b,reason,answer\n")
	for i := range 600 {
		said := "link"
		if i%3 == 0 {
			said = ""
		}
		fmt.Fprintf(&answers, "%d,%d,unsure,%s\n", 2*i, 2*i+1, said)
	}
	answers.WriteString("0,3,unsure,household\n")
	path := filepath.Join(t.TempDir(), "answers.csv")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(answers.String())
	answered, taught := trained(t, f, "", path)
	if taught.Same != 400 || taught.Apart != 1 {
		t.Errorf("%+v", taught)
	}
	if a, b := mailboxes(alone), mailboxes(answered); b < .5 || b < a {
		t.Errorf("two mailboxes of one person: %v without answers, %v with", a, b)
	}
	for _, wrong := range []string{"a,b\n1,2\n", "record_a,record_b,answer\n0,1,maybe\n", "record_a,record_b,answer\n0,zzz,link\n"} {
		write(wrong)
		_, _, err := Train(context.Background(), Training{Path: f.Path, Mapping: f.Mapping, Rules: f.Rules, Start: f.Model, Answers: path, How: match.Training{Rounds: 1, Samples: 1000}})
		if err == nil || strings.Contains(err.Error(), "zzz") {
			t.Errorf("answers %q: %v", wrong, err)
		}
	}
}
