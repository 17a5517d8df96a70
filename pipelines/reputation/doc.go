// Package reputation says what is said of brands in public: how much of the talk is about each (share of voice), in which tone (net sentiment, corrected
// for the known error of whoever judged it), how far it carries (reach, engagement), and when it turns into a crisis.
//
// Polarity comes from outside: a classifier or a person has judged each mention. A figure over mentions that nobody judged says how many they were.
//
// All functions are pure, and functions of the set of mentions: order and copies change nothing. A mention in several versions counts once, by its
// latest (Latest). Every share carries its numerator, denominator and 95 % interval; what cannot be told is not there, never 0.
//
// Who speaks never lowers anything: the package gives no score of a person.
package reputation
