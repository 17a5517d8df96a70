package identitytest

import "testing"

// TestExactCases runs what exact identifiers must get right.
func TestExactCases(t *testing.T) {
	Run(t, 1, func() Engine { return Exact(nil) })
}
