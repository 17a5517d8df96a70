package sql

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
)

// A refusal says why a statement is not passed on.
type refusal struct{ reason string }

func (r *refusal) Error() string { return r.reason }

func refuse(format string, args ...any) error { return &refusal{fmt.Sprintf(format, args...)} }

// hidden are tables that exist beside the views. Their names are refused wherever they stand, so no way of writing a query reaches them.
var hidden = []string{schema.TableEvents, schema.TablePersonaProfile, schema.ViewPersonaMap, "dossier_migrations"}

// beginnings are the statements that read.
var beginnings = map[string]bool{"select": true, "with": true, "from": true, "show": true, "describe": true, "desc": true, "exists": true, "explain": true}

// words that are refused wherever they stand: they write files, show what others ask, or take a table's name from a parameter.
var refused = map[string]string{
	"outfile": "results go to the client and not to a file", "infile": "files are not read", "processlist": "other people's queries are not shown",
	"identifier": "names stand in the statement and not in a parameter",
}

// harmless are table functions that read nothing but their arguments.
var harmless = map[string]bool{
	"numbers": true, "numbers_mt": true, "zeros": true, "zeros_mt": true, "generate_series": true, "generateseries": true, "values": true, "null": true,
	"format": true, "primes": true,
}

// outside are functions that read what is not in the views, beside the table functions.
var outside = []string{"catboostevaluate", "joinget", "joingetornull", "showcertificate"}

var (
	word = regexp.MustCompile(`[A-Za-z0-9_\x80-\xff]+`)
	// described are the system tables that tools ask for the names and types of what they show.
	described = regexp.MustCompile("^[`\"]?\\s*\\.\\s*[`\"]?(tables|columns|databases|functions|data_type_families|formats|settings|table_engines|keywords|one|numbers)(?:[^A-Za-z0-9_\\x80-\\xff]|$)")
	called    = regexp.MustCompile("^[`\"]?\\s*\\(")
	leading   = regexp.MustCompile(`^(?s:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/|\()*`)
)

// gate knows which table functions the engine has.
type gate struct{ tableFunctions map[string]bool } // in lower case

// check refuses a statement that could read more than the views. It does not parse SQL: it looks at every word, wherever it stands, even in
// a comment or a text. So it refuses a little too much, and no trick of quoting or nesting gets by.
func (g gate) check(sql string) error {
	first := strings.ToLower(word.FindString(sql[len(leading.FindString(sql)):]))
	if !beginnings[first] {
		return refuse("only SELECT, WITH, SHOW, DESCRIBE, EXISTS and EXPLAIN are taken here")
	}
	// Within a quoted name an escape could spell a word that is refused.
	if strings.Contains(sql, `\`) && strings.ContainsAny(sql, "`\"") {
		return refuse("a statement with quoted names takes no backslash: write char(92) for one")
	}
	for _, at := range word.FindAllStringIndex(sql, -1) {
		text, rest := sql[at[0]:at[1]], sql[at[1]:]
		lower := strings.ToLower(text)
		if why := refused[lower]; why != "" {
			return refuse("%s: %s", text, why)
		}
		for _, name := range hidden {
			if text == name {
				return refuse("%s cannot be read here, and its name stands for nothing else: the views are %s", name, strings.Join(schema.Views(), ", "))
			}
		}
		switch {
		case lower == "system" && !described.MatchString(rest):
			return refuse("of system only tables, columns, databases, functions, formats and settings can be read here")
		case g.tableFunctions[lower] && !harmless[lower] && called.MatchString(rest):
			return refuse("%s() cannot be used here: the views are what is read", text)
		}
	}
	return nil
}
