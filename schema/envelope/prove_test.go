package envelope

import (
	"flag"
	"os"
	"testing"
)

// DOSSIER_PROVE=1 raises the number of random cases. A failure prints its seed; -rapid.seed repeats it.
func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv("DOSSIER_PROVE") == "1" {
		if err := flag.Set("rapid.checks", "20000"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
