package stat

import "slices"

// MinimumPeople is the fewest people of whom a figure is shown.
const MinimumPeople = 5

// Suppress says which figures are hidden so that none is shown of fewer than minimum people, and none can be found by taking the others off the
// total. people has the number of people of each group; a group of nobody has nothing to hide. The total is shown if all
// people together reach the minimum.
//
// First the groups of fewer people than the minimum are hidden. While those hidden are one alone, or have fewer people than the minimum
// together, the smallest group of people that is still shown is hidden too, the first one of equals (complementary suppression: A. Hundepool
// and others, Statistical Disclosure Control, 2012, chapter 4).
func Suppress(people []int64, minimum int64) (groups []bool, total bool) {
	groups = make([]bool, len(people))
	var hidden, sum, all int64
	for i, n := range people {
		all += n
		if n > 0 && n < minimum {
			groups[i] = true
			hidden++
			sum += n
		}
	}
	if hidden > 0 && all >= minimum {
		order := make([]int, len(people))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return int(people[a] - people[b]) })
		for _, i := range order {
			if hidden > 1 && sum >= minimum {
				break
			}
			if people[i] > 0 && !groups[i] {
				groups[i] = true
				hidden++
				sum += people[i]
			}
		}
	}
	return groups, all > 0 && all < minimum
}
