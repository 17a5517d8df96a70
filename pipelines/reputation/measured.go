package reputation

// Measured are the errors of the model that ships (base tier), by language: how it reads tweets whose polarity people have said, and from which it did not learn. A test of
// package verbatim counts them anew and fails when another model comes to others. The deeper tier and models of one's own have errors of their own: measure them
// on posts like yours (dossier verbatim evaluate) and write them into the configuration.
//
// Rows are the truth, columns the judgement: favourable, neutral, unfavourable.
var Measured = map[string]Confusion{
	"de": {{73, 17, 18}, {18, 73, 17}, {16, 34, 58}},
	"en": {{68, 32, 8}, {23, 63, 22}, {8, 20, 80}},
	"es": {{73, 21, 14}, {29, 53, 26}, {18, 32, 58}},
	"fr": {{65, 26, 17}, {22, 69, 17}, {15, 22, 71}},
	"it": {{59, 30, 19}, {21, 64, 23}, {18, 25, 65}},
	"pt": {{65, 32, 11}, {22, 54, 32}, {14, 37, 57}},
}
