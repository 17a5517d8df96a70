package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sort"
)

// compareDocuments lists where two JSON documents differ, a line each by path.
func compareDocuments(before, after json.RawMessage) []string {
	var a, b any
	if json.Unmarshal(before, &a) != nil || json.Unmarshal(after, &b) != nil {
		return []string{"one of the documents is not JSON"}
	}
	return compareValues("", a, b, nil)
}

func compareValues(path string, a, b any, lines []string) []string {
	am, aok := a.(map[string]any)
	bm, bok := b.(map[string]any)
	if aok && bok {
		names := map[string]bool{}
		for n := range am {
			names[n] = true
		}
		for n := range bm {
			names[n] = true
		}
		sorted := make([]string, 0, len(names))
		for n := range names {
			sorted = append(sorted, n)
		}
		sort.Strings(sorted)
		for _, n := range sorted {
			lines = compareValues(path+"/"+n, am[n], bm[n], lines)
		}
		return lines
	}
	if reflect.DeepEqual(a, b) {
		return lines
	}
	if path == "" {
		path = "/"
	}
	if a != nil {
		lines = append(lines, fmt.Sprintf("- %s: %s", path, compact(a)))
	}
	if b != nil {
		lines = append(lines, fmt.Sprintf("+ %s: %s", path, compact(b)))
	}
	return lines
}

func compact(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
