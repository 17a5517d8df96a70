package main

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestWhatBeatsWhat: flags beat variables, those beat dossier.yaml, and that beats the defaults.
func TestWhatBeatsWhat(t *testing.T) {
	const file = "data: /of/the/file\nup: {listen: '127.0.0.1:1'}\n"
	for _, c := range []struct {
		name, file, variable, flag string
		want                       string
	}{
		{"file", file, "", "", "/of/the/file"},
		{"variable over file", file, "/of/the/variable", "", "/of/the/variable"},
		{"flag over both", file, "/of/the/variable", "/of/the/flag", "/of/the/flag"},
		{"variable alone", "", "/of/the/variable", "", "/of/the/variable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.variable != "" {
				t.Setenv("DOSSIER_DATA", c.variable)
			}
			resolver, err := yamlConfiguration(strings.NewReader(c.file))
			if err != nil {
				t.Fatal(err)
			}
			var all commands
			parser, err := kong.New(&all, kong.Name("dossier"), kong.DefaultEnvars("DOSSIER"), kong.Resolvers(resolver))
			if err != nil {
				t.Fatal(err)
			}
			args := []string{"up"}
			if c.flag != "" {
				args = append(args, "--data", c.flag)
			}
			if _, err := parser.Parse(args); err != nil {
				t.Fatal(err)
			}
			if all.Up.Data != c.want {
				t.Fatalf("--data is %q, want %q", all.Up.Data, c.want)
			}
			if want := "127.0.0.1:1"; c.file != "" && all.Up.Listen != want {
				t.Fatalf("--listen is %q, want %q", all.Up.Listen, want)
			}
		})
	}
}
