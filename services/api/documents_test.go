package api

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/graphql/graphqltest"
)

// text evaluates a string made of literals, constants, + and strings.ReplaceAll.
func text(e ast.Expr, constants map[string]ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil && e.Kind == token.STRING
	case *ast.Ident:
		value, ok := constants[e.Name]
		if !ok {
			return "", false
		}
		return text(value, constants)
	case *ast.CallExpr:
		if f, ok := e.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "ReplaceAll" && len(e.Args) == 3 {
			s, ok1 := text(e.Args[0], constants)
			old, ok2 := text(e.Args[1], constants)
			replacement, ok3 := text(e.Args[2], constants)
			return strings.ReplaceAll(s, old, replacement), ok1 && ok2 && ok3
		}
		return "", false
	case *ast.BinaryExpr:
		a, ok1 := text(e.X, constants)
		b, ok2 := text(e.Y, constants)
		return a + b, ok1 && ok2 && e.Op == token.ADD
	}
	return "", false
}

// commandDocuments are the GraphQL documents in the source of the command line.
func commandDocuments(t *testing.T) (out []string) {
	t.Helper()
	paths, err := filepath.Glob("../cmd/dossier/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	constants := map[string]ast.Expr{}
	for _, path := range paths {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == len(spec.Names) {
				for i, name := range spec.Names {
					constants[name.Name] = spec.Values[i]
				}
			}
			return true
		})
	}
	document := regexp.MustCompile(`^\s*(query|mutation)\b[^{]*\{`)
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			s, ok := text(e, constants)
			if ok && document.MatchString(s) && strings.Count(s, "{") == strings.Count(s, "}") {
				out = append(out, s)
				return false
			}
			return true
		})
	}
	return out
}

// What the command line and the explorer ask is answered by the SDL as it is.
func TestDocumentsFitTheSDL(t *testing.T) {
	s, err := graphql.New(graphqltest.Small().Backends(), func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	documents := commandDocuments(t)
	if len(documents) < 5 {
		t.Fatalf("found %d documents in the command line", len(documents))
	}
	for _, block := range regexp.MustCompile("(?s)(?:query: |dossierQuery = )`(.*?)`").FindAllStringSubmatch(string(explorerPage), -1) {
		documents = append(documents, block[1])
	}
	if len(documents) < 13 {
		t.Fatalf("found %d documents with the explorer's", len(documents))
	}
	for _, d := range documents {
		if err := s.Validate(d); err != nil {
			t.Errorf("%v in\n%s", err, d)
		}
	}
}
