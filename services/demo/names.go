package demo

// A generation's given names, women's and men's. The common ones come first.
type given struct{ women, men []string }

// The given names by the year of birth: before 1968, until 1992, since.
var givenFR = [3]given{
	{
		[]string{"Monique", "Martine", "Françoise", "Nathalie", "Brigitte", "Sylvie", "Catherine", "Isabelle", "Chantal", "Christine", "Anne-Marie", "Dominique", "Fatima", "Bernadette", "Marie-Claude"},
		[]string{"Jean", "Philippe", "Michel", "Alain", "Patrick", "Bernard", "Jean-Pierre", "Gérard", "Christian", "Daniel", "Jean-Luc", "Ahmed", "Didier", "Yves", "Manuel"},
	},
	{
		[]string{"Céline", "Aurélie", "Sophie", "Sandrine", "Julie", "Émilie", "Stéphanie", "Virginie", "Élodie", "Claire", "Delphine", "Nadia", "Hélène", "Karine", "Laure", "Anne-Sophie", "Samira", "Camille"},
		[]string{"Nicolas", "Julien", "Sébastien", "David", "Thomas", "Stéphane", "Guillaume", "Romain", "Vincent", "Olivier", "Frédéric", "Karim", "Benoît", "Mathieu", "Fabrice", "Cédric", "Mehdi", "François"},
	},
	{
		[]string{"Léa", "Manon", "Chloé", "Emma", "Inès", "Clara", "Sarah", "Camille", "Louise", "Jade", "Anaïs", "Zoé", "Yasmine", "Margaux", "Lucie", "Éva", "Aïcha", "Juliette"},
		[]string{"Lucas", "Hugo", "Théo", "Maxime", "Antoine", "Louis", "Nathan", "Enzo", "Clément", "Quentin", "Yanis", "Baptiste", "Rayan", "Paul", "Raphaël", "Bastien", "Gabriel", "Ibrahim"},
	},
}

var givenEN = [3]given{
	{
		[]string{"Margaret", "Susan", "Linda", "Patricia", "Christine", "Barbara", "Janet", "Carol", "Sandra", "Jean", "Ann", "Sheila", "Maureen"},
		[]string{"David", "John", "Peter", "Michael", "Alan", "Robert", "Stephen", "Paul", "Brian", "Graham", "Keith", "Colin", "Trevor"},
	},
	{
		[]string{"Sarah", "Emma", "Claire", "Nicola", "Rachel", "Laura", "Joanne", "Rebecca", "Helen", "Victoria", "Priya", "Samantha", "Katherine", "Louise", "Gemma", "Amina"},
		[]string{"James", "Andrew", "Mark", "Matthew", "Richard", "Daniel", "Simon", "Christopher", "Ben", "Adam", "Imran", "Stuart", "Gareth", "Tom", "Kwame", "Neil"},
	},
	{
		[]string{"Olivia", "Charlotte", "Chloe", "Emily", "Sophie", "Jessica", "Grace", "Lucy", "Hannah", "Amelia", "Zara", "Molly", "Freya", "Isla", "Aisha", "Poppy"},
		[]string{"Jack", "Harry", "Oliver", "George", "Joshua", "William", "Callum", "Alfie", "Ethan", "Mohammed", "Samuel", "Liam", "Oscar", "Kieran", "Arjun", "Theo"},
	},
}

// Family names, the common ones first.
var (
	familyFR = []string{
		"Martin", "Bernard", "Thomas", "Petit", "Robert", "Richard", "Durand", "Dubois", "Moreau", "Laurent", "Simon", "Michel", "Lefèvre", "Leroy", "Roux", "David", "Bertrand", "Morel", "Fournier", "Girard",
		"Bonnet", "Dupont", "Lambert", "Fontaine", "Rousseau", "Vincent", "Muller", "Faure", "Mercier", "Blanc", "Guérin", "Boyer", "Garnier", "Chevalier", "François", "Legrand", "Gauthier", "Garcia", "Perrin", "Robin",
		"Clément", "Morin", "Nicolas", "Henry", "Roussel", "Mathieu", "Gautier", "Masson", "Marchand", "Duval", "Denis", "Dumont", "Marie", "Lemaire", "Noël", "Meyer", "Dufour", "Meunier", "Brun", "Blanchard",
		"Giraud", "Joly", "Rivière", "Lucas", "Brunet", "Gaillard", "Barbier", "Arnaud", "Martinez", "Gérard", "Roche", "Renard", "Schmitt", "Roy", "Leroux", "Colin", "Vidal", "Caron", "Picard", "Roger",
		"Benali", "Da Silva", "Nguyen", "Traoré", "Haddad", "Ferreira", "Diallo", "Le Gall", "Le Goff", "Cohen", "Lopez", "Kervella", "Bouchard", "Delacroix", "Vasseur", "Poulain", "Charpentier", "Texier", "Besnard", "Aubry",
		"Hamel", "Prévost", "Collet", "Maillard", "Pelletier", "Carpentier", "Lebrun", "Marty", "Rolland", "Guillot",
	}
	familyEN = []string{
		"Smith", "Jones", "Taylor", "Brown", "Williams", "Wilson", "Johnson", "Davies", "Patel", "Robinson", "Wright", "Thompson", "Evans", "Walker", "White", "Roberts", "Green", "Hall", "Thomas", "Clarke",
		"Jackson", "Wood", "Harris", "Edwards", "Turner", "Martin", "Cooper", "Hill", "Ward", "Hughes", "Moore", "Clark", "King", "Harrison", "Lewis", "Baker", "Lee", "Allen", "Morris", "Khan",
		"Scott", "Watson", "Davis", "Parker", "Bennett", "Young", "Phillips", "Richardson", "Griffiths", "Carter", "Bailey", "Mitchell", "Ahmed", "Shaw", "Murray", "Collins", "Campbell", "O'Brien", "Okafor", "Singh",
		"Whitfield", "Macdonald", "Fraser", "Kelly", "Ashworth", "Pemberton", "Fletcher", "Hargreaves", "Begum", "Osborne", "Sutton", "Barlow", "Lockwood", "Mensah", "Sharma", "Gallagher", "Holloway", "Kaur", "Prescott", "Winterbourne",
	}
)

// common draws from a list whose first entries are the common ones.
func common(c chance, from []string) string {
	u := c.Float64()
	return from[int(u*u*float64(len(from)))]
}

func generation(birthYear int) int {
	switch {
	case birthYear < 1968:
		return 0
	case birthYear < 1993:
		return 1
	}
	return 2
}

// givenName draws a given name that fits language, sex and year of birth.
func givenName(c chance, french, woman bool, birthYear int) string {
	from := givenEN[generation(birthYear)]
	if french {
		from = givenFR[generation(birthYear)]
	}
	if woman {
		return common(c, from.women)
	}
	return common(c, from.men)
}

func familyName(c chance, french bool) string {
	if french {
		return common(c, familyFR)
	}
	return common(c, familyEN)
}
