package verbatim_test

import (
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/verbatim"
)

func TestMask(t *testing.T) {
	for _, c := range [][2]string{
		{"écrivez à jean.dupont@exemple.fr vite", "écrivez à [email] vite"},
		{"mon numéro est le 06 12 34 56 78.", "mon numéro est le [phone]."},
		{"call me on +44 20 7946 0958 please", "call me on [phone] please"},
		{"carte 4539 1488 0343 6467 refusée", "carte [card] refusée"},
		{"IBAN FR76 3000 6000 0112 3456 7890 189 merci", "IBAN [iban] merci"},
		{"sécu 1 85 05 78 006 084 36", "sécu [national_id]"},
		{"thanks @sophie_b!", "thanks [handle]!"},
		{"j'habite 12 rue des Lilas, 75011 Paris", "j'habite [address]"},
		{"I live at 221b Baker Street in London", "I live at [address] in London"},
		{"Bonjour, je m'appelle Camille Martin et j'attends", "Bonjour, je m'appelle [name] et j'attends"},
		{"My name is John Smith.", "My name is [name]."},
		{"reçu par Mme Dupond hier", "reçu par Mme [name] hier"},
		{"commandé le 12/03/2024, reçu 3 jours après", "commandé le 12/03/2024, reçu 3 jours après"},
		{"deux fois 250 euros", "deux fois 250 euros"},
		{"", ""},
	} {
		got := verbatim.Mask(c[0])
		if got != c[1] {
			t.Errorf("%q is masked %q, want %q", c[0], got, c[1])
		}
		if again := verbatim.Mask(got); again != got {
			t.Errorf("%q masked again is %q", got, again)
		}
	}
}
