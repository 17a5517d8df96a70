package population

import (
	"fmt"
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

// Rate is how often one thing happens: a share between 0 and 1 of what its name says it is a share of.
type Rate struct {
	Name  string  `json:"rate"`
	Value float64 `json:"share"`
	About string  `json:"of"`
}

// rate names a rate in code.
type rate int

const (
	householdOfTwo rate = iota
	householdOfThree
	householdOfFour
	householdOfFive
	foreignOrigin
	fatherAndSon
	twins
	ownFamilyName
	namesakeInTown
	twoFamilyNames
	marriage
	move
	compoundGiven
	noMobile
	landline
	landlineGiven
	newPhone
	phonePassedOn
	sharedPhone
	noMailbox
	sharedMailbox
	newMailbox
	mailboxPassedOn
	secondCard
	secondAccount
	cardLent
	cookieShared
	typoGiven
	typoFamily
	nickname
	partOfCompound
	accentsLostGiven
	accentsLostFamily
	upperFamily
	callTwisted
	callGarbled
	callInverted
	callTitled
	callInitial
	typoBirth
	swappedBirth
	yearOnly
	placeholderBirth
	typoMailbox
	upperMailbox
	capitalMailbox
	robotMailbox
	typoPhone
	placeholderPhone
	typoStreet
	upperStreet
	shortStreet
	accentsLostStreet
	typoCity
	crmOne
	crmTwo
	ecommerceOne
	ecommerceTwo
	storeOne
	storeTwo
	callcenterOne
	callcenterTwo
	supportOne
	surveyOne
	socialOne
	webOne
	webTwo
	crmBirth
	crmEmail
	crmPhone
	ecommercePhone
	ecommerceAccount
	storeBirth
	storeEmail
	storePhone
	storePostcode
	callcenterCity
	callcenterCard
	supportName
	surveyName
	surveyCard
	socialName
	socialEmail
	webAccount
	webEmail
	rateCount
)

// published are the rates and their values unless somebody sets others. They are fitted to clients_fr; where British customers differ
// the second value is theirs.
var published = [rateCount]struct {
	name   string
	fr, gb float64
	about  string
}{
	householdOfTwo:    {"household.two", .235, .235, "households of two people"},
	householdOfThree:  {"household.three", .105, .105, "households of three"},
	householdOfFour:   {"household.four", .043, .043, "households of four"},
	householdOfFive:   {"household.five", .005, .005, "households of five"},
	foreignOrigin:     {"origin.abroad", .12, .1, "households whose names come from another part of the world"},
	fatherAndSon:      {"family.father_and_son", .045, .045, "households of several in which a father and a son have one name"},
	twins:             {"family.twins", .05, .05, "households of three or more with twins"},
	ownFamilyName:     {"family.own_name", .3, .25, "couples in which each keeps a family name of their own"},
	namesakeInTown:    {"person.namesake_in_town", .012, .012, "households that begin with a stranger of the same name and town as somebody earlier"},
	twoFamilyNames:    {"person.two_family_names", .065, .065, "women who are known by a maiden and a married name, or by both with a hyphen"},
	marriage:          {"person.marries", .012, .012, "women who take another family name at some time of the period"},
	move:              {"household.moves", .04, .04, "households that move at some time of the period, one in three to another town"},
	compoundGiven:     {"person.compound_given_name", .18, .01, "people with a compound given name (Jean-Pierre, Marie-Hélène)"},
	noMobile:          {"phone.none", .03, .03, "people without a mobile: they give the household's landline"},
	landline:          {"phone.landline", .4, .4, "households with a landline"},
	landlineGiven:     {"phone.landline_given", .22, .22, "records that give the landline although there is a mobile"},
	newPhone:          {"phone.new", .075, .075, "people who get a new number at some time of the period"},
	phonePassedOn:     {"phone.passed_to_a_stranger", .02, .02, "people whose number belonged to a stranger before"},
	sharedPhone:       {"phone.shared", .05, .05, "households of several who share the first one's mobile"},
	noMailbox:         {"mailbox.none", .03, .03, "people without a mailbox"},
	sharedMailbox:     {"mailbox.shared", .16, .16, "households of several who use the first one's mailbox, some of them only that"},
	newMailbox:        {"mailbox.new", .115, .115, "people with a second mailbox, from some time of the period on"},
	mailboxPassedOn:   {"mailbox.passed_to_a_stranger", .001, .001, "people whose mailbox belonged to a stranger before"},
	secondCard:        {"card.second", .033, .033, "holders of a card who lose it and get another"},
	secondAccount:     {"account.second", .055, .055, "holders of an account who open a second one"},
	cardLent:          {"card.lent", .006, .006, "store records of households of several on another member's card"},
	cookieShared:      {"cookie.shared", .2, .2, "web records of households of several on the household's computer"},
	typoGiven:         {"typo.given", .075, .075, "given names mistyped, in any source but the call centre"},
	typoFamily:        {"typo.family", .1, .1, "family names mistyped, in any source but the call centre"},
	nickname:          {"name.nickname", .012, .05, "given names in a short form"},
	partOfCompound:    {"name.part_of_compound", .08, .08, "compound given names of which one part or the hyphen is missing"},
	accentsLostGiven:  {"name.accents_lost", .6, 0, "given names without their accents"},
	accentsLostFamily: {"name.family_accents_lost", .9, 0, "family names without their accents"},
	upperFamily:       {"name.upper_case", .2, .2, "family names in capitals"},
	callTwisted:       {"call.twisted", .22, .22, "call-centre names with one slip"},
	callGarbled:       {"call.garbled", .2, .2, "call-centre names written by ear, with two to four slips"},
	callInverted:      {"call.inverted", .08, .05, "call-centre names with the family name first"},
	callTitled:        {"call.titled", .01, .01, "call-centre names with a title before them"},
	callInitial:       {"call.initial", .015, .015, "call-centre names with an initial for the given name"},
	typoBirth:         {"birth.typo", .012, .012, "birth dates with one wrong digit"},
	swappedBirth:      {"birth.swapped", .006, .006, "birth dates with day and month swapped"},
	yearOnly:          {"birth.year_only", .027, .027, "birth dates of which only the year is known: 1 January"},
	placeholderBirth:  {"birth.placeholder", .027, .027, "birth dates 1900-01-01, where nobody asked"},
	typoMailbox:       {"mailbox.typo", .04, .04, "mailboxes mistyped, except by the customer's own mail program"},
	upperMailbox:      {"mailbox.upper_case", .07, .07, "mailboxes in capitals"},
	capitalMailbox:    {"mailbox.capital", .08, .08, "mailboxes that begin with a capital"},
	robotMailbox:      {"survey.robot", .3, .3, "surveys that carry the sending robot's mailbox"},
	typoPhone:         {"phone.typo", .008, .008, "phone numbers with one wrong digit"},
	placeholderPhone:  {"call.placeholder_phone", .05, .05, "calls with the number 0000000000, where it was withheld"},
	typoStreet:        {"street.typo", .05, .05, "streets mistyped"},
	upperStreet:       {"street.upper_case", .155, .1, "streets in capitals"},
	shortStreet:       {"street.short", .12, .15, "streets with a short form of their kind (bd, av, Rd)"},
	accentsLostStreet: {"street.accents_lost", .25, 0, "streets without their accents"},
	typoCity:          {"city.typo", .012, .012, "towns mistyped"},
	crmOne:            {"crm.one", .65, .65, "people with one CRM record"},
	crmTwo:            {"crm.two", .09, .09, "people with two"},
	ecommerceOne:      {"ecommerce.one", .645, .645, "people with one shop record"},
	ecommerceTwo:      {"ecommerce.two", .023, .023, "people with two"},
	storeOne:          {"store.one", .515, .515, "people with one record of a loyalty card"},
	storeTwo:          {"store.two", .02, .02, "people with two"},
	callcenterOne:     {"callcenter.one", .3, .3, "people who called once"},
	callcenterTwo:     {"callcenter.two", .11, .11, "people who called twice"},
	supportOne:        {"support_email.one", .345, .345, "people who wrote to support"},
	surveyOne:         {"survey.one", .149, .149, "people who answered a survey"},
	socialOne:         {"social.one", .2, .2, "people who wrote on a network"},
	webOne:            {"web.one", .44, .44, "people with one visit to the site"},
	webTwo:            {"web.two", .15, .15, "people with two"},
	crmBirth:          {"crm.birth_date", .845, .845, "CRM records with a birth date"},
	crmEmail:          {"crm.email", .6, .6, "CRM records with a mailbox"},
	crmPhone:          {"crm.phone", .71, .71, "CRM records with a phone number"},
	ecommercePhone:    {"ecommerce.phone", .64, .64, "shop records with a phone number"},
	ecommerceAccount:  {"ecommerce.user_id", .775, .775, "shop records of an account; the others ordered as guests"},
	storeBirth:        {"store.birth_date", .31, .31, "card records with a birth date"},
	storeEmail:        {"store.email", .42, .42, "card records with a mailbox"},
	storePhone:        {"store.phone", .515, .515, "card records with a phone number"},
	storePostcode:     {"store.postcode", .803, .803, "card records with a postcode"},
	callcenterCity:    {"callcenter.city", .505, .505, "calls with a town"},
	callcenterCard:    {"callcenter.card", .14, .14, "calls of card holders with the card's number"},
	supportName:       {"support_email.name", .744, .744, "mails to support with a name"},
	surveyName:        {"survey.name", .517, .517, "surveys with a name"},
	surveyCard:        {"survey.card", .4, .4, "surveys of card holders with the card's number"},
	socialName:        {"social.name", .72, .72, "network records with a name"},
	socialEmail:       {"social.email", .155, .155, "network records with a mailbox"},
	webAccount:        {"web.user_id", .255, .255, "visits of account holders who are logged in"},
	webEmail:          {"web.email", .285, .285, "other visits in which a mailbox was typed in"},
}

// Rates are the published rates of a country ("fr" or "gb"), in the order of their table.
func Rates(country string) []Rate {
	out := make([]Rate, rateCount)
	for i, r := range published {
		out[i] = Rate{r.name, r.fr, r.about}
		if country == "gb" {
			out[i].Value = r.gb
		}
	}
	return out
}

// ratesOf are the published rates with some set anew.
func ratesOf(country string, set map[string]float64) (out [rateCount]float64, err error) {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	known := map[string]rate{}
	for i, r := range Rates(country) {
		known[r.Name] = rate(i)
		out[i] = r.Value
	}
	for _, name := range names {
		i, ok := known[name]
		if !ok {
			return out, schema.Refuse("rate_unknown", fmt.Sprintf("there is no rate %q", name), "the table of rates names them all")
		}
		if v := set[name]; !(v >= 0 && v <= 1) {
			return out, schema.Refuse("rate_invalid", fmt.Sprintf("rate %s is %v", name, v), "a rate is a share between 0 and 1")
		}
		out[i] = set[name]
	}
	for _, together := range [][]rate{
		{householdOfTwo, householdOfThree, householdOfFour, householdOfFive},
		{crmOne, crmTwo}, {ecommerceOne, ecommerceTwo}, {storeOne, storeTwo}, {callcenterOne, callcenterTwo}, {webOne, webTwo},
		{callTwisted, callGarbled}, {upperMailbox, capitalMailbox},
	} {
		sum := 0.
		for _, r := range together {
			sum += out[r]
		}
		if sum > 1+1e-9 {
			return out, schema.Refuse("rate_invalid", fmt.Sprintf("rates from %s to %s come to more than 1", published[together[0]].name, published[together[len(together)-1]].name),
				"they exclude each other: lower one of them")
		}
	}
	return out, nil
}
