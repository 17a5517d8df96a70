package main

import (
	"slices"
	"testing"
)

func TestMemoryIsGivenBackAtRest(t *testing.T) {
	var seconds []int
	for look := 1; look <= 400; look++ {
		if (looks{quiet: look}).due(1 << 40) {
			seconds = append(seconds, 5*look)
		}
	}
	if want := []int{10, 40, 100, 600, 1200, 1800}; !slices.Equal(seconds, want) {
		t.Errorf("after %v seconds, want %v", seconds, want)
	}
}

func TestMemoryThatGrowsAtRestIsGivenBack(t *testing.T) {
	const left = 300 << 20
	for name, c := range map[string]struct {
		looks    looks
		resident int64
		want     bool
	}{
		"much more than was left":   {looks{quiet: 13, given: 5, left: left}, left + grownAgain + 1, true},
		"a little more":             {looks{quiet: 13, given: 5, left: left}, left + grownAgain, false},
		"a moment after":            {looks{quiet: 13, given: 3, left: left}, 2 * left, false},
		"nothing given back so far": {looks{quiet: 13, given: 13}, 2 * left, false},
		"memory that is not known":  {looks{quiet: 13, given: 5, left: left}, 0, false},
	} {
		if got := c.looks.due(c.resident); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
