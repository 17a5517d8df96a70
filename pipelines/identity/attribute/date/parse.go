package date

import "time"

// Parse reads a birth date. The country (ISO 3166 alpha-2) decides whether 03/04/1980 is the third of April, as nearly everywhere, or the
// fourth of March. What is no date gives the zero value.
func Parse(s, country string) Date {
	for _, layout := range []string{"2006-01-02", "02/01/2006", "02.01.2006", "02-01-2006", "2006/01/02", "20060102"} {
		if len(s) < len(layout) {
			continue
		}
		if t, err := time.Parse(layout, s[:len(layout)]); err == nil {
			return Date{Year: uint16(t.Year()), Month: uint8(t.Month()), Day: uint8(t.Day())}
		}
	}
	return Date{}
}
