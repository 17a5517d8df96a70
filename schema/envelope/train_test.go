package envelope

// train makes a dictionary of at most size bytes from samples, by the method that zstd calls COVER: words of six bytes count in how
// many samples they occur; again and again the segment whose words count most is taken, and its words count no more.
func train(samples [][]byte, size, segment int) []byte {
	const word = 6
	count := map[string]int{}
	for _, sample := range samples {
		seen := map[string]bool{}
		for i := 0; i+word <= len(sample); i++ {
			if w := string(sample[i : i+word]); !seen[w] {
				seen[w] = true
				count[w]++
			}
		}
	}
	for w, n := range count {
		if n < len(samples)/1000+2 { // random: a number, an id
			delete(count, w)
		}
	}
	var segments [][]byte
	total := 0
	epochs := max(size/segment/4, 1)
	for round := 0; total < size; round++ {
		took := false
		for epoch := 0; epoch < epochs && total < size; epoch++ {
			best, bestScore := []byte(nil), 0
			for i := epoch; i < len(samples); i += epochs {
				if s, score := bestSegment(samples[i], count, word, segment); score > bestScore {
					best, bestScore = s, score
				}
			}
			if bestScore == 0 {
				continue
			}
			took = true
			for i := 0; i+word <= len(best); i++ {
				delete(count, string(best[i:i+word]))
			}
			best = best[:min(len(best), size-total)]
			segments = append(segments, best)
			total += len(best)
		}
		if !took {
			break
		}
	}
	var dict []byte
	for i := len(segments) - 1; i >= 0; i-- { // the most valuable last
		dict = append(dict, segments[i]...)
	}
	return dict
}

// bestSegment finds the segment of a sample whose words count most, without the ends that count nothing.
func bestSegment(sample []byte, count map[string]int, word, segment int) (best []byte, bestScore int) {
	if len(sample) < word {
		return nil, 0
	}
	scores := make([]int, len(sample)-word+1)
	for i := range scores {
		scores[i] = count[string(sample[i:i+word])]
	}
	window := min(segment-word+1, len(scores))
	sum := 0
	for i, s := range scores {
		sum += s
		if i >= window {
			sum -= scores[i-window]
		}
		if i >= window-1 && sum > bestScore {
			from, to := i-window+1, i+1
			for from < to && scores[from] == 0 {
				from++
			}
			for to > from && scores[to-1] == 0 {
				to--
			}
			best, bestScore = sample[from:to+word-1], sum
		}
	}
	return best, bestScore
}
