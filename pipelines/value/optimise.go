package value

import "math"

// objective gives the value at a point, and fills in the gradient.
type objective func(at, gradient []float64) float64

// maximise climbs from a start to a maximum by BFGS with backtracking (J. Nocedal, S. J. Wright, Numerical Optimization, 2nd edition, algorithms
// 6.1 and 3.1). Its steps are a function of start and objective alone. It changes start into the maximum and says how many steps it took, and
// whether it arrived: that no component of the gradient is more than tolerance.
func maximise(f objective, at []float64, tolerance float64) (value float64, steps int, ok bool) {
	const mostSteps, longest = 500, 2.0 // a step in the logarithm of a parameter by more than 2 is a leap in the dark
	n := len(at)
	gradient, next, nextGradient := make([]float64, n), make([]float64, n), make([]float64, n)
	direction, moved, turned, product := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	inverse := identityMatrix(n)
	value = f(at, gradient)
	fresh := true
	for ; steps < mostSteps; steps++ {
		if largest(gradient) <= tolerance {
			return value, steps, true
		}
		multiply(inverse, gradient, direction)
		slope := dot(direction, gradient)
		if !(slope > 0) { // rounding has spoiled the curvature
			inverse, fresh = identityMatrix(n), true
			copy(direction, gradient)
			slope = dot(direction, gradient)
		}
		length := 1.0
		if l := largest(direction); l > longest {
			length = longest / l
		}
		nextValue := math.Inf(-1)
		for range 60 {
			for i := range at {
				next[i] = at[i] + length*direction[i]
			}
			if nextValue = f(next, nextGradient); nextValue >= value+1e-4*length*slope {
				break
			}
			if length /= 2; length*slope < 1e-15*math.Abs(value) { // less than rounding shows
				break
			}
		}
		if !(nextValue > value) {
			if fresh { // nothing above, to the precision of numbers
				return value, steps, largest(gradient) <= 1e4*tolerance
			}
			inverse, fresh = identityMatrix(n), true
			continue
		}
		for i := range at {
			moved[i], turned[i] = next[i]-at[i], gradient[i]-nextGradient[i] // of −f, which is minimised
		}
		if curvature := dot(moved, turned); curvature > 1e-12*math.Sqrt(dot(moved, moved)*dot(turned, turned)) {
			if fresh { // ibid. 6.20: a first guess of the size
				scale := curvature / dot(turned, turned)
				for i := range inverse {
					inverse[i][i] = scale
				}
			}
			multiply(inverse, turned, product)
			bend := (1 + dot(turned, product)/curvature) / curvature
			for i := range inverse {
				for j := range inverse {
					inverse[i][j] += bend*moved[i]*moved[j] - (product[i]*moved[j]+moved[i]*product[j])/curvature
				}
			}
			fresh = false
		}
		copy(at, next)
		copy(gradient, nextGradient)
		value = nextValue
	}
	return value, steps, false
}

func identityMatrix(n int) [][]float64 {
	m := make([][]float64, n)
	for i := range m {
		m[i] = make([]float64, n)
		m[i][i] = 1
	}
	return m
}

func multiply(m [][]float64, v, into []float64) {
	for i := range m {
		into[i] = dot(m[i], v)
	}
}

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func largest(v []float64) (most float64) {
	for _, x := range v {
		if most = max(most, math.Abs(x)); math.IsNaN(x) {
			return math.Inf(1)
		}
	}
	return most
}
