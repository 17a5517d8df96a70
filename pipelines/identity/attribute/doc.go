// Package attribute reads what a persona says of itself (names, birth dates, addresses, mailboxes, phones, gender, birthplace,
// occupation, ids and free kinds) into normal forms that can be compared, and joins what many events say.
//
// Everything is a pure function of its input and of the lists embedded in the packages below it:
//
//	script     letters of any script to lower-case words of a to z
//	sound      phonetic keys of words
//	given      known given names: how frequent, whose, and their nicknames
//	person     names of people
//	date       birth dates
//	address    postal addresses
//	mailbox    local parts of e-mail addresses
//
// Normal forms are for comparing only; what a source gave is kept as it was elsewhere. Every normaliser is idempotent: the normal form of
// a normal form is itself. None panics, and the work for one value is bounded, however long the value.
//
// The package compares nothing and weighs nothing: what two values say about two personas is the concern of package match.
package attribute
