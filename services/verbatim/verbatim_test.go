package verbatim_test

import (
	"context"
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	core "github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/services/verbatim"
)

func write(t *testing.T, name, text string) string {
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestScore(t *testing.T) {
	model, err := core.Base()
	if err != nil {
		t.Fatal(err)
	}
	in := write(t, "in.csv", "id;lang;texte\n1;fr;\"Le chargeur a pris feu ;\nc'est honteux\"\n2;;Great hotel and lovely staff\n3;xx;\n4;fr;Quels sont vos horaires ?\n")
	out := filepath.Join(t.TempDir(), "out.csv")
	s, err := verbatim.Score(context.Background(), verbatim.Scoring{Path: in, Text: "texte", Lang: "lang", Out: out, Analyzer: core.New(model, nil)})
	if err != nil {
		t.Fatal(err)
	}
	if s.Texts != 4 || s.Abstained != 1 || s.Critical != 1 {
		t.Errorf("the summary is %+v", s)
	}
	file, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(rows[0], ","); got != "record,language,polarity,confidence,themes,criticality,reasons" {
		t.Errorf("the header is %s", got)
	}
	for i, want := range [][]string{{"1", "fr", "neg", "critical"}, {"2", "en", "pos", "none"}, {"3", "und", "", "none"}, {"4", "fr", "neu", "none"}} {
		row := rows[i+1]
		if got := []string{row[0], row[1], row[2], row[5]}; strings.Join(got, ",") != strings.Join(want, ",") {
			t.Errorf("row %d is %v, want %v", i+1, got, want)
		}
	}
	if !strings.Contains(rows[1][6], "safety: pris feu") {
		t.Errorf("the reasons are %q", rows[1][6])
	}
	if _, err := verbatim.Score(context.Background(), verbatim.Scoring{Path: in, Text: "text", Out: out, Analyzer: core.New(model, nil)}); err == nil || !strings.Contains(err.Error(), "no column text; it has: id, lang, texte") {
		t.Errorf("a missing column: %v", err)
	}
	entries, err := os.ReadDir(filepath.Dir(out))
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestLabelsAreRead(t *testing.T) {
	in := write(t, "in.tsv", "source\tlang\tpolarity\tthemes\ttext\na\tfr\tpos\tx|y\tbien\nb\ten\tnone\t\tok\n")
	s := verbatim.Sources{Paths: []string{in}, Text: "text", Lang: "lang", Polarity: "polarity", Themes: "themes", Source: "source"}
	texts, err := s.Read(context.Background())
	if err != nil || len(texts) != 2 || len(texts[0].Themes) != 2 || texts[1].Polarity != core.LabelNone || texts[1].Group != "b" {
		t.Errorf("read %+v, %v", texts, err)
	}
	s.Only = "source=b"
	if texts, err = s.Read(context.Background()); err != nil || len(texts) != 1 {
		t.Errorf("read %d texts of source b, %v", len(texts), err)
	}
	for _, bad := range []string{"fr\tgreat", "klingon\tpos"} {
		s := verbatim.Sources{Paths: []string{write(t, "bad.tsv", "lang\tpolarity\ttext\n"+bad+"\tsecret words\n")}, Text: "text", Lang: "lang", Polarity: "polarity"}
		if _, err := s.Read(context.Background()); err == nil || !strings.Contains(err.Error(), "row 1") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
