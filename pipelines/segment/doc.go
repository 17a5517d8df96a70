// Package segment is the language in which people are described, and what it means.
//
// A Segment is a typed tree of conditions over one person: traits, identifiers, consents, worth, and events in windows of time. It is read
// from JSON (the command line turns YAML into it), validated with the nearest known name in every refusal, and shown as a sentence in
// French and in English (Sentence).
//
// Membership is a function of (segment, person, now), and of nothing else: neither of the order in which events came, nor of how often. It is
// evaluated in two ways that mean the same. Evaluate decides for one person, and says when time alone may change the answer; Compile makes a
// ClickHouse statement that decides for everybody at once. A property test holds them equal.
//
// What the conditions compare is made by this package alone: TraitOf, NumberOf and TextOf bring traits and properties into one form, which both
// evaluators read. Numbers have six digits after the point and twelve before it; what has more is no number. Texts of traits are compared
// without regard to upper and lower case, texts of events exactly.
//
// Days are calendar days of the segment's time zone: within 7d is today and the seven days before. Hours and minutes are exact.
//
// It does no I/O, and does not know where people and events are kept.
package segment
