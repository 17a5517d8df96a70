package demo

import (
	"encoding/json"
	"strings"
)

// Queries gives three shell commands to try on the demo workspace, each with a comment in French and English above it.
func Queries(url, token string) []string {
	command := func(french, english, query string) string {
		body, err := json.Marshal(map[string]string{"query": query})
		if err != nil {
			panic(err) // Unreachable: a string
		}
		return "# " + french + "\n# " + english + "\ncurl -s " + strings.TrimSuffix(url, "/") + "/graphql -H 'Authorization: Bearer " + token +
			"' -H 'Content-Type: application/json' \\\n  -d '" + string(body) + "'"
	}
	var out []string
	for _, e := range examples() {
		out = append(out, command(e.french, e.english, e.query))
	}
	return out
}

type example struct{ french, english, query string }

func examples() []example {
	return []example{
		{
			"Le dossier de Camille Lefèvre, mariée et installée à Lyon, par son adresse e-mail.",
			"The dossier of Camille Lefèvre, who married and moved to Lyon, by her e-mail address.",
			`{ dossier(identifier: {kind: "email", value: "camille.lefevre@courriel.example"}) { id goldenRecord { name value source } identifiers { kind value assurance } consents { channel purpose state } value { orders spent { amount currency } } timeline(first: 10) { totalCount edges { node { occurredAt channel type text } } } } }`,
		},
		{
			"Pourquoi la carte perdue de Camille Moreau et l’adresse de Camille Lefèvre sont à une seule personne.",
			"Why the card that Camille Moreau lost and the address of Camille Lefèvre belong to one person.",
			`{ why(a: {kind: "card", value: "2910040000"}, b: {kind: "email", value: "camille.lefevre@courriel.example"}) { same summary steps { outcome rule kind value } } }`,
		},
		{
			"Les échanges de son mari Thomas, qui partage l’adresse de la famille.",
			"What her husband Thomas wrote and was answered; he shares the family’s mailbox.",
			`{ dossier(identifier: {kind: "email", value: "thomas.lefevre@courriel.example"}) { id timeline(first: 20, channels: ["email", "phone", "chat"]) { totalCount edges { node { occurredAt channel actor type text } } } } }`,
		},
	}
}
