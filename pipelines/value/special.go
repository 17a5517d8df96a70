package value

import "math"

// digamma is the derivative of ln Γ(x), for x > 0: the recurrence DLMF 5.5.2 up to where the asymptotic series DLMF 5.11.2 has an error
// below 1e-15.
func digamma(x float64) float64 {
	sum := 0.0
	for ; x < 10; x++ {
		sum -= 1 / x
	}
	i := 1 / (x * x)
	return sum + math.Log(x) - 1/(2*x) - i*(1./12-i*(1./120-i*(1./252-i*(1./240-i*(1./132-i*(691./32760-i/12))))))
}

func lnGamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}

// hypergeometricTerms bounds the work of one hypergeometric: the argument may come close to 1.
const hypergeometricTerms = 50_000

// hypergeometric is Gauss's ₂F₁(a, b; c; z) by its series (DLMF 15.2.1), for 0 ≤ z < 1 and c no integer ≤ 0. With c > a + b it converges for
// every such z.
func hypergeometric(a, b, c, z float64) float64 {
	term, sum := 1.0, 1.0
	for n := range hypergeometricTerms {
		k := float64(n)
		term *= (a + k) * (b + k) / ((c + k) * (k + 1)) * z
		sum += term
		// Past the bend the terms fall like zⁿ, so the rest is at most term · z / (1 − z).
		if k > -a && k > -b && k > -c && math.Abs(term)*z <= 1e-15*math.Abs(sum)*(1-z) {
			break
		}
	}
	return sum
}
