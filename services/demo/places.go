package demo

import "fmt"

// Address is where somebody lives.
type Address struct {
	Number                 int
	Street, Postcode, City string
	Country                string
	area                   string // code of landline numbers there
	streetKind, streetName string
}

// place is a town in which customers live. Landline numbers come from the ranges that are free for fiction.
type place struct {
	city, country string
	postcodes     []string
	area          string
	weight        int
}

var places = []place{
	{"Paris", "FR", []string{"75003", "75009", "75010", "75011", "75014", "75018", "75020"}, "0199", 22},
	{"Lyon", "FR", []string{"69003", "69006", "69007"}, "0465", 12},
	{"Lille", "FR", []string{"59000", "59800"}, "0353", 9},
	{"Bordeaux", "FR", []string{"33000", "33200"}, "0536", 9},
	{"Nantes", "FR", []string{"44000", "44300"}, "0261", 7},
	{"Marseille", "FR", []string{"13001", "13006", "13008"}, "0465", 8},
	{"Toulouse", "FR", []string{"31000", "31400"}, "0536", 7},
	{"Strasbourg", "FR", []string{"67000", "67100"}, "0353", 5},
	{"Rennes", "FR", []string{"35000", "35700"}, "0261", 5},
	{"Montreuil", "FR", []string{"93100"}, "0199", 4},
	{"Annecy", "FR", []string{"74000"}, "0465", 3},
	{"London", "GB", []string{"N16", "E8", "SE22", "SW11", "NW5", "W4"}, "0207946", 18},
	{"Manchester", "GB", []string{"M20", "M21", "M14"}, "0161496", 8},
	{"Bristol", "GB", []string{"BS6", "BS3"}, "0117496", 5},
	{"Edinburgh", "GB", []string{"EH9", "EH3"}, "0131496", 5},
	{"Leeds", "GB", []string{"LS6", "LS8"}, "0113496", 4},
	{"Boston", "US", []string{"02116", "02130"}, "617555", 2},
	{"Brooklyn", "US", []string{"11215", "11231"}, "718555", 2},
}

var streetsFR = [][2]string{
	{"rue", "des Martyrs"}, {"rue", "Victor Hugo"}, {"avenue", "Jean Jaurès"}, {"boulevard", "Voltaire"}, {"rue", "de la République"}, {"place", "de la Liberté"}, {"rue", "du Faubourg"}, {"rue", "Pasteur"},
	{"allée", "des Tilleuls"}, {"rue", "des Lilas"}, {"avenue", "du Général Leclerc"}, {"rue", "Saint-Michel"}, {"chemin", "des Vignes"}, {"impasse", "du Moulin"}, {"rue", "Molière"}, {"quai", "de la Fosse"},
	{"rue", "Émile Zola"}, {"boulevard", "Gambetta"}, {"rue", "du Port"}, {"rue", "de l'Église"}, {"cours", "Lafayette"}, {"rue", "Nationale"}, {"rue", "Paul Bert"}, {"avenue", "Foch"}, {"rue", "des Écoles"},
}

var streetsEN = []string{
	"Albion Road", "Church Street", "Victoria Road", "Park Lane", "Mill Lane", "Station Road", "Queen's Road", "Grove Avenue", "Elm Close", "Windsor Terrace", "King Street", "Meadow Way", "Chapel Lane", "Highfield Road",
	"Lordship Lane", "Orchard Drive", "Cromwell Road", "Beech Grove", "Clifton Hill", "Northcote Road", "School Lane", "Whitworth Street", "Palatine Road", "Marchmont Crescent",
}

// short forms that agents type for the kind of a street.
var shortStreet = map[string]string{"rue": "R.", "avenue": "AV", "boulevard": "BD", "place": "PL", "allée": "ALL", "chemin": "CH", "impasse": "IMP"}

// address draws an address; a country other than "" is kept.
func (c chance) address(country string) Address {
	total := 0
	for _, p := range places {
		if country == "" || p.country == country {
			total += p.weight
		}
	}
	n := c.IntN(total)
	for _, p := range places {
		if country != "" && p.country != country {
			continue
		}
		if n -= p.weight; n < 0 {
			return c.addressIn(p)
		}
	}
	panic("the weights have changed") // Unreachable: n is below their sum
}

func (c chance) addressIn(p place) Address {
	a := Address{Number: c.between(1, 148), City: p.city, Country: p.country, Postcode: pick(c, p.postcodes), area: p.area}
	switch p.country {
	case "FR":
		street := pick(c, streetsFR)
		a.streetKind, a.streetName = street[0], street[1]
		a.Street = fmt.Sprintf("%d %s %s", a.Number, street[0], street[1])
	case "GB":
		a.Street = fmt.Sprintf("%d %s", a.Number, pick(c, streetsEN))
		a.Postcode = fmt.Sprintf("%s %d%c%c", a.Postcode, c.between(1, 9), 'A'+rune(c.IntN(8)), 'L'+rune(c.IntN(8)))
	default:
		a.Street = fmt.Sprintf("%d %s", a.Number, pick(c, streetsEN))
	}
	return a
}

// cityNamed finds a town.
func cityNamed(city string) place {
	for _, p := range places {
		if p.city == city {
			return p
		}
	}
	panic("no such town: " + city) // Unreachable: the cast lives in towns of the list
}

// typed is the street as an agent types it.
func (a Address) typed() string {
	if short, ok := shortStreet[a.streetKind]; ok {
		return fmt.Sprintf("%d %s %s", a.Number, short, a.streetName)
	}
	return a.Street
}

// shops are the company's own stores.
var shops = map[string]string{
	"Paris": "Paris Marais", "Montreuil": "Paris Marais", "Lyon": "Lyon Presqu'île", "Annecy": "Lyon Presqu'île", "Marseille": "Marseille Vieux-Port", "Lille": "Lille Grand-Place", "Bordeaux": "Bordeaux Chartrons",
	"Toulouse": "Bordeaux Chartrons", "Nantes": "Nantes Bouffay", "Rennes": "Nantes Bouffay", "Strasbourg": "Lille Grand-Place",
	"London": "London Marylebone", "Bristol": "London Marylebone", "Manchester": "Manchester Deansgate", "Leeds": "Manchester Deansgate", "Edinburgh": "Manchester Deansgate",
}
