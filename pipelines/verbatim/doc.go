// Package verbatim reads what customers write: language, speech act, polarity, themes, emotion, criticality with its reasons; and masks personal data.
//
// # What it guarantees
//
// A reading is a function of the text, the language hint, the model and the tree of themes. Every text gets one: what cannot be read is abstained from.
// Work and memory are bounded, however long or strange the text; nothing in a text is an instruction to the program. A model is a value with
// a version, the hash of its content, and readings name it. Training is deterministic, and a model holds no text: only weights of hashes of words that
// several texts have.
//
// # How it reads
//
// Language: a linear model over one to five letters in a row and words. Polarity: a linear model over one to three words in a row with the scope of
// negation, stems, and what lists of feeling say of the words (with negation, intensity and contrast), then rules: phrases that are ironic,
// understated, far from good, or tell of what never came. Themes: a small net over words and stems, then the keyword rules of the workspace's own
// tree; each theme has the polarity of the clause that speaks of it. Criticality, act and emotion: rules alone, so that each has words to show.
//
// There are two tiers behind one Analyzer. The base tier is what the above says. The encoder tier adds small nets over the vector that package encoder makes of a text; its
// weights are handed in. Corrections of people (Refit) add weights to either.
//
// Weights are learnt from labelled texts (models/NOTICE), lists of feeling are others' (lexicon/NOTICE), rules were written for this project: full ones
// for French and English, the grave ones for German, Spanish, Italian, Dutch and Portuguese.
//
// # What it deliberately does not do
//
// It infers nothing of health, religion, politics or origin of a person: vulnerability is told only where the text says so, for a person to act on. It
// decides nothing about anybody. A neutral share of a set of texts should not be read off it without correcting for its errors.
package verbatim
