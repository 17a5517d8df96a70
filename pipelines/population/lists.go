package population

import (
	"embed"
	"fmt"
	"math"
	"strconv"
	"strings"
)

//go:embed *.txt
var lists embed.FS

// names are what a household of one origin may be called.
type names struct {
	given  map[int][2]drawn // by the first year of an era; women's, men's. Origins from abroad have one era, 0
	family drawn
}

// commune is a town, or a part of one with a postcode of its own.
type commune struct {
	postcode, city, area string // area: where its landline numbers begin
}

// country is what a population's names and addresses are made of.
type country struct {
	code        string
	native      names
	origins     []names
	originUpTo  drawn
	heads       []string // syllables of rare family names
	tails       []string
	tailShare   float64 // of native family names that are put together of syllables
	communes    []commune
	communeUpTo drawn
	kinds       []string // of streets
	streets     drawn
	domains     []string
	robot       string
	short       map[string][]string // short forms of given names
	shortKind   map[string][]string
	titles      [2][]string // women's, men's
}

// eras are the first years of birth of the lists of given names.
var eras = [...]int{1930, 1945, 1960, 1975, 1990}

// births are the shares of people by the decade of their birth, from 1930 on; the last ends in 2007.
var births = ranked([]string{"1930", "1940", "1950", "1960", "1970", "1980", "1990", "2000"}, func(i int) float64 {
	return []float64{.055, .11, .11, .12, .12, .145, .195, .145}[i]
})

func words(name string) (lines [][]string) {
	raw, err := lists.ReadFile(name)
	if err != nil {
		panic(err) // it is embedded
	}
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		for i := range f {
			f[i] = strings.ReplaceAll(f[i], "_", " ")
		}
		if len(f) > 0 {
			lines = append(lines, f)
		}
	}
	return lines
}

// unique keeps the first of equal words.
func unique(list []string) (out []string) {
	seen := map[string]bool{}
	for _, w := range list {
		if !seen[w] {
			seen[w] = true
			out = append(out, w)
		}
	}
	return out
}

func countryOf(code string) (*country, error) {
	c := &country{code: code, native: names{given: map[int][2]drawn{}}}
	switch code {
	case "fr":
		c.tailShare, c.robot = .62, "contact@sondage.example"
		c.domains = []string{"courriel.example", "boite.example", "poste.example", "lettres.example", "monmail.example", "toile.example", "fibre.example", "ligne.example", "pli.example", "nuage.example"}
		c.short, c.shortKind, c.titles = shortFR, shortKindFR, [2][]string{{"Mme", "Madame", "Mlle"}, {"M", "M.", "Monsieur"}}
	case "gb":
		c.tailShare, c.robot = .45, "feedback@survey.example"
		c.domains = []string{"inbox.example", "post.example", "mailbox.example", "letters.example", "mymail.example", "web.example", "fibre.example", "line.example", "parcel.example", "cloud.example"}
		c.short, c.shortKind, c.titles = shortGB, shortKindGB, [2][]string{{"Mrs", "Ms", "Miss"}, {"Mr", "Mr."}}
	default:
		return nil, fmt.Errorf("no country %q", code)
	}
	zipf := func(offset, exponent float64) func(int) float64 {
		return func(rank int) float64 { return math.Pow(float64(rank)+offset, -exponent) }
	}
	abroad := map[string]*names{}
	origin := func(name string) *names {
		if abroad[name] == nil {
			abroad[name] = &names{given: map[int][2]drawn{}}
		}
		return abroad[name]
	}
	for _, f := range words("given_" + code + ".txt") {
		of, era, sex := &c.native, 0, 0
		if year, err := strconv.Atoi(f[0]); err == nil {
			era = year
		} else {
			of = origin(f[0])
		}
		if f[1] == "m" {
			sex = 1
		}
		both := of.given[era]
		both[sex] = ranked(unique(f[2:]), zipf(3, .9))
		of.given[era] = both
	}
	c.native.family = ranked(unique(words("family_" + code + ".txt")[0]), zipf(10, .7))
	for _, f := range words("family_origin_" + code + ".txt") {
		o := origin(f[0])
		o.family = ranked(unique(f[1:]), zipf(5, .6))
		c.origins = append(c.origins, *o)
	}
	// The lists stand in the order of how many households each is about.
	c.originUpTo = ranked(make([]string, len(c.origins)), func(rank int) float64 { return math.Pow(.55, float64(rank)) })
	for _, f := range words("tail_" + code + ".txt") {
		if f[0] == "heads" {
			c.heads = f[1:]
		} else {
			c.tails = f[1:]
		}
	}
	var weights []float64
	for _, f := range words("communes_" + code + ".txt") {
		weight, err := strconv.Atoi(f[3])
		if err != nil {
			return nil, fmt.Errorf("commune %s: %w", f[0], err)
		}
		c.communes = append(c.communes, commune{f[0], f[1], f[2]})
		weights = append(weights, float64(weight))
	}
	c.communeUpTo = ranked(make([]string, len(c.communes)), func(i int) float64 { return weights[i] })
	for _, f := range words("streets_" + code + ".txt") {
		if f[0] == "kinds" {
			c.kinds = f[1:]
		} else {
			c.streets = ranked(f[1:], zipf(6, .5))
		}
	}
	return c, nil
}

// shortFR and shortGB are short forms of given names that people sign with and agents write.
var (
	shortFR = map[string][]string{
		"Frédéric": {"Fred"}, "Catherine": {"Cathy"}, "Christophe": {"Chris"}, "Dominique": {"Dom"}, "Emmanuel": {"Manu"}, "Françoise": {"Fanfan"}, "Grégory": {"Greg"}, "Isabelle": {"Isa"},
		"Jean-Pierre": {"JP", "Jean Pi"}, "Jean-Claude": {"JC"}, "Jean-Marc": {"JM"}, "Mathieu": {"Mat"}, "Matthieu": {"Mat"}, "Nathalie": {"Nath"}, "Nicolas": {"Nico"}, "Philippe": {"Phil"}, "Sébastien": {"Seb"},
		"Stéphanie": {"Steph"}, "Stéphane": {"Steph"}, "Thierry": {"Titi"}, "Véronique": {"Véro"}, "Valérie": {"Val"}, "Benjamin": {"Ben"}, "Maxime": {"Max"}, "Alexandre": {"Alex"}, "Alexandra": {"Alex"}, "Dominic": {"Dom"},
		"Patricia": {"Pat"}, "Patrick": {"Pat"}, "Guillaume": {"Guigui"}, "Virginie": {"Vivi"}, "Laetitia": {"Laeti"}, "Bernadette": {"Bernie"}, "Thomas": {"Tom"}, "Antoine": {"Toine"}, "Théodore": {"Théo"}, "Caroline": {"Caro"},
		"Delphine": {"Del"}, "Élisabeth": {"Babette"}, "Josette": {"Jo"}, "Joséphine": {"José"}, "Micheline": {"Miche"}, "Michel": {"Mimi"}, "Robert": {"Bob"}, "Samuel": {"Sam"}, "Vincent": {"Vince"}, "Charlotte": {"Charlie"},
	}
	shortGB = map[string][]string{
		"William": {"Bill", "Will"}, "Robert": {"Bob", "Rob"}, "Richard": {"Dick", "Rick"}, "Elizabeth": {"Liz", "Beth", "Betty"}, "Margaret": {"Maggie", "Peggy"}, "Catherine": {"Cathy", "Kate"}, "Katherine": {"Kate", "Katie"},
		"Michael": {"Mike", "Mick"}, "James": {"Jim", "Jamie"}, "Thomas": {"Tom"}, "Christopher": {"Chris"}, "Patricia": {"Pat", "Trish"}, "Susan": {"Sue"}, "Jennifer": {"Jenny", "Jen"}, "Rebecca": {"Becky"}, "Anthony": {"Tony"},
		"Andrew": {"Andy"}, "David": {"Dave"}, "Daniel": {"Dan"}, "Matthew": {"Matt"}, "Samuel": {"Sam"}, "Benjamin": {"Ben"}, "Stephen": {"Steve"}, "Steven": {"Steve"}, "Edward": {"Ted", "Ed"}, "Charles": {"Charlie"}, "George": {"Georgie"},
		"Deborah": {"Debbie"}, "Jacqueline": {"Jackie"}, "Christine": {"Chris"}, "Victoria": {"Vicky"}, "Nicola": {"Nicky"}, "Samantha": {"Sam"}, "Alexander": {"Alex"}, "Joseph": {"Joe"}, "Joshua": {"Josh"}, "Nicholas": {"Nick"},
		"Ronald": {"Ron"}, "Kenneth": {"Ken"}, "Frederick": {"Fred"}, "Leonard": {"Len"}, "Terence": {"Terry"}, "Geoffrey": {"Geoff"}, "Philip": {"Phil"}, "Gregory": {"Greg"}, "Timothy": {"Tim"}, "Jonathan": {"Jon"}, "Dorothy": {"Dot"},
	}
	shortKindFR = map[string][]string{"boulevard": {"bd", "Bd"}, "avenue": {"av", "av."}, "place": {"pl"}, "allée": {"all."}, "chemin": {"ch."}, "impasse": {"imp."}, "rue": {"r."}}
	shortKindGB = map[string][]string{"Road": {"Rd"}, "Street": {"St"}, "Avenue": {"Ave"}, "Lane": {"La"}, "Close": {"Cl"}, "Drive": {"Dr"}, "Terrace": {"Terr"}, "Grove": {"Gr"}, "Gardens": {"Gdns"}, "Crescent": {"Cres"}}
)
