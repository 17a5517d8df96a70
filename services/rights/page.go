package rights

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
)

// Languages are those that a page is written in.
func Languages() []string { return []string{"en", "fr"} }

// words of the page, by language.
var words = map[string]map[string]string{
	"en": {
		"title": "What is held of you", "produced": "Produced on", "by": "by", "goldenRecord": "What is believed of you", "identifiers": "What you are known by",
		"personas": "Your accounts", "consents": "What you allowed and refused", "events": "Every contact", "conversations": "Conversations", "cases": "Cases",
		"surveys": "Surveys", "readings": "What was read in your texts", "mentions": "What you said in public", "segments": "Groups that you entered and left", "deadLetters": "What could not be processed",
		"shared": "Others who share an identifier with you", "none": "Nothing.", "origin": "The column source says which system it came from.",
	},
	"fr": {
		"title": "Ce qui est conservé à votre sujet", "produced": "Établi le", "by": "par", "goldenRecord": "Ce que nous tenons pour vrai", "identifiers": "Ce qui permet de vous reconnaître",
		"personas": "Vos comptes", "consents": "Ce que vous avez accepté et refusé", "events": "Tous les contacts", "conversations": "Conversations", "cases": "Dossiers de réclamation",
		"surveys": "Enquêtes", "readings": "Ce qui a été lu dans vos textes", "mentions": "Ce que vous avez dit en public", "segments": "Groupes où vous êtes entré, et dont vous êtes sorti", "deadLetters": "Ce qui n'a pas pu être traité",
		"shared": "D'autres personnes qui partagent un identifiant avec vous", "none": "Rien.", "origin": "La colonne source dit de quel système cela vient.",
	},
}

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="{{.Language}}"><head><meta charset="utf-8"><title>{{.Words.title}}</title>
<style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}table{border-collapse:collapse;width:100%;display:block;overflow-x:auto}
th,td{border:1px solid #ccc;padding:.3rem .5rem;text-align:left;vertical-align:top;font-size:13px;overflow-wrap:anywhere;max-width:24rem}th{background:#f3f3f3}h2{margin-top:2rem}</style></head>
<body><h1>{{.Words.title}}</h1><p>{{.Words.produced}} {{.ProducedAt}} {{.Words.by}} {{.Actor}}. {{.Words.origin}}</p>
{{range .Sections}}<section><h2>{{.Title}} ({{len .Rows}})</h2>
{{if .Rows}}<table><thead><tr>{{range .Columns}}<th>{{.}}</th>{{end}}</tr></thead><tbody>
{{range .Rows}}<tr>{{range .}}<td>{{.}}</td>{{end}}</tr>
{{end}}</tbody></table>{{else}}<p>{{$.Words.none}}</p>{{end}}</section>
{{end}}</body></html>
`))

type section struct {
	Title   string
	Columns []string
	Rows    [][]string
}

// WritePage writes a file as a page for people, complete in itself.
func WritePage(w io.Writer, f *File, language string) error {
	said, known := words[language]
	if !known {
		return fmt.Errorf("pages are written in %s", strings.Join(Languages(), " and "))
	}
	of := struct {
		Language, ProducedAt, Actor string
		Words                       map[string]string
		Sections                    []section
	}{Language: language, ProducedAt: f.ProducedAt, Actor: f.Actor, Words: said}
	for _, part := range []struct {
		name string
		list any
	}{
		{"goldenRecord", f.GoldenRecord}, {"identifiers", f.Identifiers}, {"personas", f.Personas}, {"consents", f.Consents}, {"events", f.Events},
		{"conversations", f.Conversations}, {"cases", f.Cases}, {"surveys", f.Surveys}, {"readings", f.Readings}, {"mentions", f.Mentions}, {"segments", f.Segments},
		{"deadLetters", f.DeadLetters}, {"shared", f.Shared},
	} {
		s, err := sectionOf(said[part.name], part.list)
		if err != nil {
			return err
		}
		of.Sections = append(of.Sections, s)
	}
	return page.Execute(w, of)
}

// sectionOf lays out a list of objects: a column for each member that any of them has.
func sectionOf(title string, list any) (s section, err error) {
	text, err := json.Marshal(list)
	if err != nil {
		return s, err
	}
	var objects []map[string]json.RawMessage
	if err := json.Unmarshal(text, &objects); err != nil {
		return s, err
	}
	columns := map[string]bool{}
	for _, o := range objects {
		for name, value := range o {
			columns[name] = columns[name] || !empty(value)
		}
	}
	maps.DeleteFunc(columns, func(_ string, shown bool) bool { return !shown })
	s = section{Title: title, Columns: slices.Sorted(maps.Keys(columns))}
	for _, o := range objects {
		row := make([]string, len(s.Columns))
		for n, name := range s.Columns {
			row[n] = cell(o[name])
		}
		s.Rows = append(s.Rows, row)
	}
	return s, nil
}

// empty says whether a value says nothing.
func empty(value json.RawMessage) bool {
	switch string(value) {
	case "", "null", `""`, "[]", "{}", `"00000000-0000-0000-0000-000000000000"`:
		return true
	}
	return false
}

func cell(value json.RawMessage) string {
	var text string
	switch {
	case empty(value):
		return ""
	case json.Unmarshal(value, &text) == nil:
		return text
	}
	return string(value)
}
