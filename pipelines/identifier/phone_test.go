package identifier

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

// The short way to read French numbers says what the general parser says.
func TestFrenchPhonesAsTheParserReadsThem(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const letters = "0123456789 .-+"
	read := 0
	for range 200_000 {
		var b []byte
		switch rng.IntN(3) {
		case 0:
			b = append(b, '0')
		case 1:
			b = append(b, "+33"...)
		}
		for range 8 + rng.IntN(4) {
			if b = append(b, letters[rng.IntN(10)]); rng.IntN(4) == 0 {
				b = append(b, letters[rng.IntN(len(letters))])
			}
		}
		country := []string{"FR", "fr", "GB", ""}[rng.IntN(4)]
		short, ok := frenchPhone(string(b), country)
		if !ok {
			continue
		}
		read++
		number, err := phonenumbers.Parse(string(b), strings.ToUpper(country))
		if err != nil || !phonenumbers.IsPossibleNumber(number) || phonenumbers.Format(number, phonenumbers.E164) != short || repeated(short[len(short)-8:]) {
			t.Fatalf("%q in %q is read as %q, the parser says %v (%v)", b, country, short, number, err)
		}
	}
	if read < 5_000 {
		t.Errorf("only %d numbers were read the short way", read)
	}
}
