// Package care folds contacts into conversations, conversations into cases, and answers into surveys.
//
// Guarantees. Fold is a function of the set of contacts that it is given and of the rules: their order and their copies change nothing.
// Contacts that share no link (Links) never meet in one conversation or case, so a fold of each cluster of linked contacts is a fold of
// all. Nothing here reads a clock: what is overdue is decided by who reads the deadlines, which are instants.
//
// A clock of a human stops for a human alone. A bot, an automatic acknowledgement and the system never do (Contact.Actor).
//
// It deliberately does not know who is who: a row names personas, and a merge of people changes no row. What is wrong in the input is kept
// and flagged with a reason (the Flag constants); a figure leaves out what its flags concern, and says so.
package care
