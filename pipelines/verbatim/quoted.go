package verbatim

import (
	"math"
	"strings"
)

// ownWords gives what the writer of a message wrote himself: without the history that mail programs quote below, and without his signature.
func ownWords(text string) string {
	if !strings.Contains(text, "\n") {
		return text
	}
	end := len(text)
	at := 0
	for at < len(text) {
		next := strings.IndexByte(text[at:], '\n')
		if next < 0 {
			next = len(text) - at
		}
		line := strings.TrimRight(text[at:at+next], " \t\r")
		if at > 0 && (line == "--" || beginsQuote(line)) {
			end = at
			break
		}
		at += next + 1
	}
	if strings.TrimSpace(text[:end]) == "" {
		return text // nothing but history: then that is the text
	}
	text = text[:end]
	if !strings.Contains(text, "\n>") && !strings.HasPrefix(text, ">") {
		return text
	}
	var own []string
	for _, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, ">") {
			own = append(own, line)
		}
	}
	if joined := strings.Join(own, "\n"); strings.TrimSpace(joined) != "" {
		return joined
	}
	return text
}

// beginsQuote recognises the line with which mail programs begin what they quote.
func beginsQuote(line string) bool {
	switch {
	case len(line) > 200:
		return false
	case strings.HasPrefix(line, "-----") && (strings.Contains(line, "riginal") || strings.Contains(line, "orward") || strings.Contains(line, "ransf")):
		return true
	case strings.HasPrefix(line, "Le ") && strings.HasSuffix(line, "a écrit :"), strings.HasPrefix(line, "On ") && strings.HasSuffix(line, "wrote:"),
		strings.HasPrefix(line, "Am ") && strings.HasSuffix(line, "schrieb:"):
		return true
	}
	return false
}

func logOf(x float32) float32 { return float32(math.Log(float64(max(x, 1e-6)))) }
