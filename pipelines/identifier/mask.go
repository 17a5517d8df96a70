package identifier

import (
	"strings"
	"unicode/utf8"
)

// Mask shows a value to someone who may not read it: enough to recognise it when one knows it, not enough to learn it.
func Mask(kind, value string) string {
	if value == "" {
		return ""
	}
	return Of(kind).mask(value)
}

func maskToken(value string) string {
	n := utf8.RuneCountInString(value)
	if n <= 6 {
		return "•••"
	}
	return "•••" + last(value, 2)
}

func maskEmail(value string) string {
	at := strings.LastIndexByte(value, '@')
	if at <= 0 {
		return maskToken(value)
	}
	domain := value[at+1:]
	if dot := strings.LastIndexByte(domain, '.'); dot > 0 {
		domain = first(domain) + "•••" + domain[dot:]
	} else {
		domain = "•••"
	}
	return first(value) + "•••@" + domain
}

func maskPhone(value string) string {
	if utf8.RuneCountInString(value) < 6 {
		return "•••"
	}
	if strings.HasPrefix(value, "+") && len(value) > 8 {
		return value[:3] + "•••" + last(value, 2)
	}
	return "•••" + last(value, 2)
}

func maskHandle(value string) string { return first(strings.TrimPrefix(value, "@")) + "•••" }

// maskAddress keeps the end, which is the postcode or the town.
func maskAddress(value string) string {
	if _, place, ok := cutLast(value, ","); ok && place != "" {
		return "•••," + place
	}
	return "•••"
}

func first(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return s[:n]
}

func last(s string, n int) string {
	for i := len(s); ; n-- {
		if n == 0 || i == 0 {
			return s[i:]
		}
		_, w := utf8.DecodeLastRuneInString(s[:i])
		i -= w
	}
}
