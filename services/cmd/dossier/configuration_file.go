package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
)

// yamlConfiguration reads dossier.yaml: addresses, ports and keys only, by the names of the flags, for one command
// (`up: {listen: ...}`) or for all (`data: ...`).
func yamlConfiguration(r io.Reader) (kong.Resolver, error) {
	values := map[string]any{}
	if err := yaml.NewDecoder(r).Decode(&values); err != nil && err != io.EOF {
		return nil, fmt.Errorf("dossier.yaml is not YAML: %w", err)
	}
	return kong.ResolverFunc(func(_ *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
		// kong asks for every flag that the command line does not have, also where a variable gave its value.
		for _, variable := range flag.Envs {
			if _, set := os.LookupEnv(variable); set {
				return nil, nil
			}
		}
		if parent != nil && parent.Node() != nil {
			if section, ok := values[parent.Node().Name].(map[string]any); ok {
				if v, ok := section[flag.Name]; ok {
					return fmt.Sprint(v), nil
				}
			}
		}
		switch v := values[flag.Name].(type) {
		case nil, map[string]any:
			return nil, nil
		case []any:
			parts := make([]string, len(v))
			for i, p := range v {
				parts[i] = fmt.Sprint(p)
			}
			return strings.Join(parts, ","), nil
		default:
			return fmt.Sprint(v), nil
		}
	}), nil
}
