// Package rights does what people may ask of a company that holds their data: to be forgotten, to see what is held, to be left alone.
//
// Each right exercised is a decision in the control topic, with who took it and why. The decision holds no personal data: persons appear as persona ids,
// identifiers as keyed hashes. Roles act on it by themselves; this package plans, decides, watches and proves.
//
// An erasure is found again by its id, by the person's id, and by every identifier that the person had, of which the decision holds hashes: so the same
// command carries on after a crash, and repeating it changes nothing.
//
// The package deliberately erases nothing itself: the collectors, the keeper and the roles do, each in its own stores.
package rights
