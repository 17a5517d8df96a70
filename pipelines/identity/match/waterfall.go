package match

// Waterfall shows how two profiles are weighed against each other: what every field adds, what they were proposed by, and what it comes to.
type Waterfall struct {
	Model   string // the model's name
	Version string // its content address
	Prior   Bits   // log2 of the odds of one person against two strangers, before any evidence
	// HouseholdPrior is log2 of the odds of one person against a member of the household; nil: the model knows no households.
	HouseholdPrior *Bits
	Fields         []FieldWeight // in the model's order: those that both sides have
	Keys           []SharedKey   // blocking keys that both sides have, in the model's order
	Strangers      Bits          // what all comes to against two strangers
	Household      Bits          // and against two members of a household; of Strangers' size if the model knows none
	Posterior      Bits          // log2 of the odds of one person against both
	Probability    float64       // that it is one person, as the model's calibration has it
	Forbidden      bool          // values are so far apart that nothing makes them one person
	Bare           bool          // too few fields speak for one person
}

// FieldWeight is what one field adds.
type FieldWeight struct {
	Field     string
	Level     string  // of the values of A and B that weigh most, in the words of the field's comparison
	A, B      []Heard // what either side says
	Weight    Bits    // against strangers
	Household Bits    // against members of the household
	Alone     Bits    // added to both, since nothing that few people share agrees
	Forbids   bool    // the values are so far apart that nothing makes them one person
	// YieldsTo names the field that both sides have too and that this one would repeat: it adds nothing then.
	YieldsTo string
}

// Heard is one value as it is compared.
type Heard struct {
	Text    string
	Records int  // of the profile that carry it
	Generic bool // so many people carry it that it adds nothing
}

// SharedKey is a blocking key that both of two profiles have.
type SharedKey struct {
	Recipe string // as the model writes it
	Cores  int    // that have it
	Closed bool   // too many: it proposes nobody
}
