package verbatim

// Confusion counts texts by the polarity that people gave (first) and the one that was read.
type Confusion [polarities][polarities]int

// N is the number of texts.
func (c *Confusion) N() int {
	n := 0
	for _, row := range c {
		for _, x := range row {
			n += x
		}
	}
	return n
}

// Accuracy is the share that was read as people did.
func (c *Confusion) Accuracy() float64 { return share(c[0][0]+c[1][1]+c[2][2], c.N()) }

// PolarAccuracy is the share of texts that people called positive or negative that was read so.
func (c *Confusion) PolarAccuracy() float64 {
	n := 0
	for _, p := range []Polarity{Negative, Positive} {
		for _, x := range c[p] {
			n += x
		}
	}
	return share(c[Negative][Negative]+c[Positive][Positive], n)
}

// Recall is the share of one polarity's texts that was found.
func (c *Confusion) Recall(p Polarity) float64 {
	n := 0
	for _, x := range c[p] {
		n += x
	}
	return share(c[p][p], n)
}

// F1 of one polarity.
func (c *Confusion) F1(p Polarity) float64 {
	real, given := 0, 0
	for q := range c {
		real += c[p][q]
		given += c[q][p]
	}
	return share(2*c[p][p], real+given)
}

// MacroF1 is the mean F1 of the three polarities.
func (c *Confusion) MacroF1() float64 {
	return (c.F1(Negative) + c.F1(Neutral) + c.F1(Positive)) / float64(polarities)
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// Counts are what was right of a theme.
type Counts struct {
	Hits, Given, Real int
}

// F1 is the harmonic mean of precision and recall.
func (c Counts) F1() float64 { return share(2*c.Hits, c.Given+c.Real) }

// Add adds counts up: for micro-F1.
func (c *Counts) Add(d Counts) {
	c.Hits, c.Given, c.Real = c.Hits+d.Hits, c.Given+d.Given, c.Real+d.Real
}
