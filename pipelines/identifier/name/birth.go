package name

import "time"

// Birth reads a birth date: 1984-05-31, 31/05/1984 or 31.05.1984, with or without a time after it. A first of January is often what a
// form says for nothing, so only its year counts (month and day are 0); years before 1901 are refused, since 1900-01-01 is the
// commonest placeholder of all.
func Birth(s string) (year, month, day int, ok bool) {
	if len(s) < 10 {
		return 0, 0, 0, false
	}
	for _, layout := range []string{"2006-01-02", "02/01/2006", "02.01.2006", "02-01-2006", "2006/01/02"} {
		t, err := time.Parse(layout, s[:10])
		if err != nil {
			continue
		}
		if t.Year() <= 1900 || t.Year() > 2100 {
			return 0, 0, 0, false
		}
		if t.Month() == 1 && t.Day() == 1 {
			return t.Year(), 0, 0, true
		}
		return t.Year(), int(t.Month()), t.Day(), true
	}
	return 0, 0, 0, false
}
