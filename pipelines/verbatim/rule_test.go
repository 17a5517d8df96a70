package verbatim

import (
	"strings"
	"testing"
)

func TestShippedRules(t *testing.T) {
	for _, code := range languageCodes {
		text, err := ruleFiles.ReadFile("rules/" + code + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(text), "\n") {
			head, list, ok := strings.Cut(line, ":")
			if !ok || strings.HasPrefix(line, "#") {
				continue
			}
			if _, ok := ruleCodes[strings.TrimPrefix(head, "!")]; !ok {
				t.Errorf("%s line %d: the code %s means nothing", code, n+1, head)
			}
			for _, p := range strings.Split(list, ",") {
				if p = strings.TrimSpace(p); p == "" {
					continue
				}
				if strings.Count(p, "(") != strings.Count(p, ")") {
					t.Errorf("%s line %d: brackets of %q", code, n+1, p)
				}
				if _, err := compilePhrase(p); err != nil {
					t.Errorf("%s line %d: %q: %v", code, n+1, p, err)
				}
			}
		}
	}
}
