package archive_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain sets how many cases the property tests draw: few here, many with DOSSIER_PROVE=1. The flag -rapid.checks still wins.
func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "rapid.checks" })
	checks := "12"
	if os.Getenv("DOSSIER_PROVE") == "1" {
		checks = "500"
	}
	if !chosen {
		if err := flag.Set("rapid.checks", checks); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
