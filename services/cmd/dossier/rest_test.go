package main

import (
	"slices"
	"testing"
)

func TestMemoryIsGivenBackAtRest(t *testing.T) {
	var seconds []int
	for look := 1; look <= 400; look++ {
		if due(look) {
			seconds = append(seconds, 5*look)
		}
	}
	if want := []int{10, 40, 100, 600, 1200, 1800}; !slices.Equal(seconds, want) {
		t.Errorf("after %v seconds, want %v", seconds, want)
	}
}
