package address

import (
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/script"
)

// countries has names of countries in French and English, folded, by ISO 3166 alpha-2. Only those from which customers of a European company
// mostly come are here; another country's name is no country, which loses a little and breaks nothing.
var countries = func() map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(`
		AE: emirats arabes unis|united arab emirates|uae
		AT: autriche|austria|osterreich
		AU: australie|australia
		BE: belgique|belgium|belgie|belgien
		BG: bulgarie|bulgaria
		BR: bresil|brazil|brasil
		CA: canada
		CD: republique democratique du congo|rdc
		CG: congo
		CH: suisse|switzerland|schweiz|svizzera
		CI: cote d ivoire|ivory coast|cote divoire
		CM: cameroun|cameroon
		CN: chine|china
		CZ: republique tcheque|czech republic|czechia
		DE: allemagne|germany|deutschland
		DK: danemark|denmark
		DZ: algerie|algeria
		EG: egypte|egypt
		ES: espagne|spain|espana
		FI: finlande|finland
		FR: france|france metropolitaine
		GB: royaume uni|united kingdom|uk|great britain|grande bretagne|england|angleterre|scotland|ecosse|wales|pays de galles
		GF: guyane|guyane francaise
		GN: guinee|guinea
		GP: guadeloupe
		GR: grece|greece
		HR: croatie|croatia
		HT: haiti
		HU: hongrie|hungary
		IE: irlande|ireland
		IL: israel
		IN: inde|india
		IT: italie|italy|italia
		JP: japon|japan
		LB: liban|lebanon
		LU: luxembourg
		MA: maroc|morocco
		MC: monaco
		MG: madagascar
		ML: mali
		MQ: martinique
		MU: maurice|ile maurice|mauritius
		NC: nouvelle caledonie
		NL: pays bas|netherlands|the netherlands|nederland|hollande|holland
		NO: norvege|norway
		NZ: nouvelle zelande|new zealand
		PF: polynesie francaise
		PL: pologne|poland|polska
		PT: portugal
		RE: la reunion|reunion
		RO: roumanie|romania
		RS: serbie|serbia
		RU: russie|russia
		SE: suede|sweden
		SN: senegal
		TN: tunisie|tunisia
		TR: turquie|turkey
		UA: ukraine
		US: etats unis|united states|usa|etats unis d amerique|united states of america
		VN: vietnam|viet nam
		YT: mayotte
		ZA: afrique du sud|south africa
	`) {
		code, names, _ := strings.Cut(strings.TrimSpace(line), ": ")
		for name := range strings.SplitSeq(names, "|") {
			if name != "" {
				m[name] = code
			}
		}
	}
	return m
}()

// Country is the ISO 3166 alpha-2 code of a country's name or code, "" if it is none that is known. Two letters are taken for a code.
func Country(s string) string {
	if s == "" || len(s) > longestField {
		return ""
	}
	folded := script.Split(s)
	if code := countries[folded]; code != "" {
		return code
	}
	if len(folded) == 2 && folded[0] >= 'a' && folded[1] >= 'a' && folded[0] <= 'z' && folded[1] <= 'z' {
		return strings.ToUpper(folded)
	}
	return ""
}
