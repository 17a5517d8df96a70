// Package population invents the customers of a French or British retailer, at any size, and writes down what eight of its systems know
// of them: crm, ecommerce, store, callcenter, support_email, survey, social and web. Every row carries the person that it is in truth
// about, so that identity resolution can be scored and its cost measured where no real customer base could be shown.
//
// # What it guarantees
//
// A household is a pure function of (country, rates, seed, number), and a person of the household and a place in it. So person k is the same
// in a file of a thousand people and of two million, and the rows of a small file are among the rows of a larger one. Nothing is
// remembered: what links two households (a phone number passed on, a namesake in the same town) is found by inventing the earlier
// household again. No clock, no map order, no random number but those drawn from the seed.
//
// Telephone numbers, cards, accounts, cookies and record ids come out of keyed permutations, so two people have one only where a rate
// says so. Mailboxes do not: people of one name may come to have one, about one person in 10,000 at two million people. Common names get longer
// numbers behind them, as they do in life.
//
// # How often what goes wrong
//
// Every habit and every slip has a rate with a name, a value and a sentence (Rates); any of them can be set. The values follow the labelled
// file clients_fr: a test prints both side by side.
//
// # What it deliberately does not do
//
// It learns nothing from any file: the lists of names, streets and towns were written for this project, from what is commonly known, the
// long tail of family names by putting syllables together. Nobody in it exists. Mailboxes are on the reserved domain .example;
// telephone numbers look real, because the ranges that are kept free for fiction are too small: never dial or message them.
package population
