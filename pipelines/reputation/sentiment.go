package reputation

import (
	"errors"
	"maps"
	"math"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/care/stat"
)

// NetSentiment is the share of favourable mentions less that of unfavourable ones, −1 to 1. Two denominators are in use, and a figure must say which.
type NetSentiment struct {
	OfDecided stat.Estimate // (favourable − unfavourable) / (favourable + unfavourable)
	OfJudged  stat.Estimate // (favourable − unfavourable) / (favourable + neutral + unfavourable)
	Tally     Tally
}

// Net gives the net sentiment as judged, uncorrected. Intervals: Wilson's of the favourable share, stretched to −1 to 1, and Rocks's of a net score.
func (t Tally) Net() NetSentiment {
	decided := stat.Proportion(t.Favourable, t.Favourable+t.Unfavourable)
	if decided.Known() {
		decided = stat.Estimate{Value: 2*decided.Value - 1, Low: 2*decided.Low - 1, High: 2*decided.High - 1}
	}
	return NetSentiment{decided, stat.NetScore(t.Favourable, t.Unfavourable, t.Judged()), t}
}

// Confusion is how a classifier judged a sample whose polarity is known: [truth][judgement], in the order favourable, neutral, unfavourable. The sample must be like
// the mentions that are to be corrected, and not be what the classifier was trained on.
type Confusion [3][3]int64

// Why a figure cannot be corrected.
var (
	ErrNoSample    = errors.New("the labelled sample has fewer than 30 mentions of a polarity")
	ErrIndifferent = errors.New("the classifier hardly tells the polarities apart: its errors cannot be reckoned out")
)

const (
	leastSample      = 30
	leastDeterminant = .05 // of a perfect classifier it is 1, of one that guesses 0
)

// rates gives how often each truth is judged how, and the inverse of that matrix.
func (c Confusion) rates() (rates, inverse [3][3]float64, size [3]float64, err error) {
	for truth, judged := range c {
		n := judged[0] + judged[1] + judged[2]
		if n < leastSample {
			return rates, inverse, size, ErrNoSample
		}
		size[truth] = float64(n)
		for j := range judged {
			rates[truth][j] = float64(judged[j]) / float64(n)
		}
	}
	m := rates
	minor := func(i, j int) float64 { // with its sign: indices go round
		a, b, c, d := (i+1)%3, (i+2)%3, (j+1)%3, (j+2)%3
		return m[a][c]*m[b][d] - m[a][d]*m[b][c]
	}
	determinant := m[0][0]*minor(0, 0) + m[0][1]*minor(0, 1) + m[0][2]*minor(0, 2)
	if determinant < leastDeterminant {
		return rates, inverse, size, ErrIndifferent
	}
	for i := range inverse {
		for j := range inverse[i] {
			inverse[i][j] = minor(j, i) / determinant
		}
	}
	return rates, inverse, size, nil
}

// Corrected is what the true shares are estimated to be among the judged mentions.
type Corrected struct {
	Favourable, Neutral, Unfavourable stat.Estimate // 0 to 1
	Net                               stat.Estimate // favourable − unfavourable of judged, −1 to 1
	Tally                             Tally
}

// Correct removes the classifier's known error from the shares. With two classes that is (q − fp) / (tp − fp) of W. J. Rogan and B. Gladen (American Journal
// of Epidemiology 107, 1978), where q is the share as judged, tp the recall and fp the rate of false alarms. With three, a false alarm depends on which of the
// other two was mistaken, so the whole matrix is inverted: q = Mᵀ p (J. P. Buonaccorsi, Measurement Error, 2010, 3.3). Shares are cut to 0 and 1.
//
// The intervals are normal ones by the delta method: chance in the mentions, and chance in the sample.
func (t Tally) Correct(c Confusion) (Corrected, error) {
	return Combine(Tally{}, map[string]Tally{"": t}, map[string]Confusion{"": c})
}

// Combine estimates the true shares of mentions of which some were judged by people or by their source, who are believed, and others by a classifier, each language with
// errors of its own: the shares of each part, weighed by how many mentions it has. Every key of judged has its errors.
func Combine(certain Tally, judged map[string]Tally, known map[string]Confusion) (Corrected, error) {
	all := certain
	for _, t := range judged {
		all.Join(t)
	}
	out := Corrected{stat.None(), stat.None(), stat.None(), stat.None(), all}
	total := float64(all.Judged())
	var sum, variance [4]float64
	for _, key := range slices.Sorted(maps.Keys(judged)) { // sums of floats have an order
		t := judged[key]
		value, v, err := t.untangle(known[key])
		if err != nil {
			return out, err
		}
		if n := float64(t.Judged()); n > 0 {
			for i := range sum {
				sum[i], variance[i] = sum[i]+n/total*value[i], variance[i]+n/total*n/total*v[i]
			}
		}
	}
	if total == 0 {
		return out, nil
	}
	if n := float64(certain.Judged()); n > 0 {
		if n == total { // nothing is corrected: the intervals are those of plain shares
			out.Favourable, out.Neutral, out.Unfavourable = stat.Proportion(all.Favourable, all.Judged()), stat.Proportion(all.Neutral, all.Judged()), stat.Proportion(all.Unfavourable, all.Judged())
			out.Net = stat.NetScore(all.Favourable, all.Unfavourable, all.Judged())
			return out, nil
		}
		value, v := certain.shares()
		for i := range sum {
			sum[i], variance[i] = sum[i]+n/total*value[i], variance[i]+n/total*n/total*v[i]
		}
	}
	out.Favourable, out.Neutral, out.Unfavourable = normal(sum[0], variance[0], 0), normal(sum[1], variance[1], 0), normal(sum[2], variance[2], 0)
	out.Net = normal(sum[3], variance[3], -1)
	return out, nil
}

// The contrasts that are estimated: each share, and the net sentiment.
var contrasts = [4][3]float64{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 0, -1}}

// shares are the contrasts of a tally as it stands, each with its variance.
func (t Tally) shares() (value, variance [4]float64) {
	n := float64(t.Judged())
	q, smooth := t.judgements()
	for i, of := range contrasts {
		for j := range q {
			value[i] += of[j] * q[j]
		}
		variance[i] = spread(of, smooth) / n
	}
	return value, variance
}

func (t Tally) judgements() (q, smooth [3]float64) {
	n := float64(t.Judged())
	for j, count := range [3]int64{t.Favourable, t.Neutral, t.Unfavourable} {
		q[j] = float64(count) / n
		smooth[j] = (float64(count) + 1) / (n + 3) // none in few mentions is no certainty
	}
	return q, smooth
}

// untangle estimates the contrasts of the truth behind a classifier's tally, uncut, each with its variance.
func (t Tally) untangle(c Confusion) (value, variance [4]float64, err error) {
	rates, inverse, size, err := c.rates()
	if err != nil || t.Judged() == 0 {
		return value, variance, err
	}
	n := float64(t.Judged())
	q, smooth := t.judgements()
	var p [3]float64
	for k := range p {
		for j := range q {
			p[k] += inverse[j][k] * q[j] // p = (Mᵀ)⁻¹ q
		}
		p[k] = min(1, max(0, p[k]))
	}
	// A contrast is Σ of × p. It is Σ w × q with w = M⁻¹ of.
	for i, of := range contrasts {
		var w [3]float64
		for j := range w {
			for k := range of {
				w[j] += inverse[j][k] * of[k]
			}
		}
		for j := range q {
			value[i] += w[j] * q[j]
		}
		variance[i] = spread(w, smooth) / n
		for k := range p {
			variance[i] += p[k] * p[k] * spread(w, rates[k]) / size[k]
		}
	}
	return value, variance, nil
}

// spread is the variance of a weight that is drawn with these shares.
func spread(w, shares [3]float64) float64 {
	mean, squares := 0.0, 0.0
	for j := range w {
		mean, squares = mean+w[j]*shares[j], squares+w[j]*w[j]*shares[j]
	}
	return squares - mean*mean
}

// normal is an estimate with a normal interval, cut to least and 1. The interval of one that lies outside begins at the cut.
func normal(value, variance, least float64) stat.Estimate {
	const z = 1.959963984540054
	cut := func(v float64) float64 { return min(1, max(least, v)) }
	half := z * math.Sqrt(variance)
	value = cut(value)
	return stat.Estimate{Value: value, Low: cut(value - half), High: cut(value + half)}
}
