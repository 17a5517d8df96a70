// Package stat estimates: proportions, scores, means, quantiles and times that may still be running, each with its 95 % interval. It is
// what every figure of package metric ends in.
//
// All functions are pure and exact in their inputs: counts and sums are integers, so the order in which rows were added up changes
// no bit. An interval holds the true value in about 95 of 100 samples; the tests simulate that. An end that the data do not bound is
// infinite. What cannot be estimated, such as a mean of nothing, is NaN: callers show "none", never 0.
//
// The package decides nothing about which rows count.
package stat

import "math"

// Level is the confidence level of every interval.
const Level = 0.95

// z is the standard normal's quantile at 1-(1-Level)/2.
const z = 1.959963984540054

// An Estimate is a value and its interval. Value is NaN if there is none; an end is infinite if the data do not bound it.
type Estimate struct{ Value, Low, High float64 }

// None is the estimate of what no row speaks of.
func None() Estimate { return Estimate{math.NaN(), math.Inf(-1), math.Inf(1)} }

// Known says whether there is a value.
func (e Estimate) Known() bool { return !math.IsNaN(e.Value) }

// Scale multiplies by a positive factor, for instance to turn a share into percent.
func (e Estimate) Scale(by float64) Estimate { return Estimate{e.Value * by, e.Low * by, e.High * by} }
