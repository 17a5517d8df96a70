package demo

import (
	"fmt"
	"strings"
)

// product is an article of the shop. Prices are in cents of a euro, a penny, a US cent.
type product struct {
	sku      string
	fr       string // without article
	feminine bool
	en       string
	eur, gbp int
	category string
	sized    bool // comes in sizes
	breaks   bool // may arrive in pieces
}

var catalogue = []product{
	{"MG-1101", "plaid en laine mérinos", false, "merino throw", 7990, 6900, "home", false, false},
	{"MG-1102", "coussin en velours", false, "velvet cushion", 3500, 2900, "home", false, false},
	{"MG-1103", "bougie parfumée figuier", true, "fig scented candle", 2900, 2500, "home", false, false},
	{"MG-1104", "miroir rond en laiton", false, "round brass mirror", 10900, 9500, "home", false, true},
	{"MG-1105", "vase en verre soufflé", false, "blown-glass vase", 4500, 3900, "home", false, true},
	{"MG-1201", "lampe de chevet en céramique", true, "ceramic bedside lamp", 6490, 5500, "lighting", false, true},
	{"MG-1202", "suspension en rotin", true, "rattan pendant light", 8900, 7900, "lighting", false, true},
	{"MG-1301", "housse de couette en lin lavé", true, "washed-linen duvet cover", 11900, 9900, "bedding", true, false},
	{"MG-1302", "parure de draps en percale", true, "percale sheet set", 8900, 7500, "bedding", true, false},
	{"MG-1303", "couette légère en duvet", true, "lightweight down duvet", 14900, 12900, "bedding", true, false},
	{"MG-1401", "service de table en grès", false, "stoneware dinner set", 14900, 12900, "table", false, true},
	{"MG-1402", "cafetière à piston", true, "cafetière", 3990, 3500, "table", false, true},
	{"MG-1403", "cocotte en fonte", true, "cast-iron casserole", 12900, 10900, "table", false, true},
	{"MG-1501", "fauteuil en rotin", false, "rattan armchair", 28900, 24900, "furniture", false, true},
	{"MG-1502", "étagère en chêne", true, "oak shelf", 13900, 11900, "furniture", false, true},
	{"MG-1503", "table basse en noyer", true, "walnut coffee table", 32900, 28900, "furniture", false, true},
	{"MG-1504", "tapis berbère", false, "Berber rug", 24900, 21900, "furniture", false, false},
	{"MG-2101", "pull en cachemire", false, "cashmere jumper", 12900, 10900, "clothes", true, false},
	{"MG-2102", "robe en lin", true, "linen dress", 8900, 7900, "clothes", true, false},
	{"MG-2103", "manteau en laine", false, "wool coat", 21900, 18900, "clothes", true, false},
	{"MG-2104", "chemise en popeline", true, "poplin shirt", 5900, 4900, "clothes", true, false},
	{"MG-2105", "pyjama en flanelle", false, "flannel pyjama set", 6900, 5900, "clothes", true, false},
	{"MG-2106", "peignoir en coton", false, "cotton bathrobe", 6900, 5900, "clothes", true, false},
	{"MG-2201", "écharpe en alpaga", true, "alpaca scarf", 5900, 4900, "accessories", false, false},
	{"MG-2202", "sac en cuir", false, "leather bag", 15900, 13900, "accessories", false, false},
	{"MG-2203", "ceinture tressée", true, "braided belt", 4900, 4200, "accessories", false, false},
}

// price is in cents of the currency of a country.
func (p *product) price(country string) int {
	switch country {
	case "GB":
		return p.gbp
	case "US":
		return p.eur + p.eur/10/100*100
	}
	return p.eur
}

func (p *product) name(french bool) string {
	if french {
		return p.fr
	}
	return p.en
}

func currency(country string) string {
	switch country {
	case "GB":
		return "GBP"
	case "US":
		return "USD"
	}
	return "EUR"
}

// decimal writes cents as an amount.
func decimal(cents int) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }

// money writes cents as people do.
func money(french bool, country string, cents int) string {
	amount := decimal(cents)
	switch currency(country) {
	case "GBP":
		if french {
			return strings.Replace(amount, ".", ",", 1) + " £"
		}
		return "£" + amount
	case "USD":
		return "$" + amount
	}
	if french {
		return strings.Replace(amount, ".", ",", 1) + " €"
	}
	return "€" + amount
}

// elides says whether an article before the word loses its vowel.
func elides(word string) bool { return strings.HasPrefix(word, "é") || strings.HasPrefix(word, "a") }

// le is the French name with its article; mon with the possessive; un with the indefinite article; au and du with à or de and the article.
func (p *product) le() string {
	switch {
	case elides(p.fr):
		return "l'" + p.fr
	case p.feminine:
		return "la " + p.fr
	}
	return "le " + p.fr
}

func (p *product) mon() string {
	if p.feminine && !elides(p.fr) {
		return "ma " + p.fr
	}
	return "mon " + p.fr
}

func (p *product) un() string {
	if p.feminine {
		return "une " + p.fr
	}
	return "un " + p.fr
}

func (p *product) au() string {
	switch {
	case elides(p.fr):
		return "à l'" + p.fr
	case p.feminine:
		return "à la " + p.fr
	}
	return "au " + p.fr
}

func (p *product) du() string {
	switch {
	case elides(p.fr):
		return "de l'" + p.fr
	case p.feminine:
		return "de la " + p.fr
	}
	return "du " + p.fr
}

var (
	monthsFR     = []string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"}
	clothesSizes = []string{"XS", "S", "M", "L", "XL"}
	beddingSizes = []string{"140x200", "200x200", "240x220", "260x240"}
)
