// Package date reads birth dates as forms, files and people write them.
package date

import "cmp"

// Date is a birth date in the Gregorian calendar; a part that is 0 is not known. The zero value says nothing.
type Date struct {
	Year       uint16
	Month, Day uint8
	// Ambiguous is set if the text may as well be read with day and month the other way round (03/04/1980 of a source whose order is not
	// known by its country).
	Ambiguous bool
}

// Compare orders dates by year, month and day.
func (d Date) Compare(e Date) int {
	ambiguous := 0
	switch {
	case d.Ambiguous && !e.Ambiguous:
		ambiguous = 1
	case !d.Ambiguous && e.Ambiguous:
		ambiguous = -1
	}
	return cmp.Or(cmp.Compare(d.Year, e.Year), cmp.Compare(d.Month, e.Month), cmp.Compare(d.Day, e.Day), ambiguous)
}

// IsZero says whether nothing is known.
func (d Date) IsZero() bool { return d == Date{} }

// Whole says whether year, month and day are known.
func (d Date) Whole() bool { return d.Year != 0 && d.Month != 0 && d.Day != 0 }

// Placeholder says whether the date is a first of January: often what a form says when only the year is known, or nothing.
func (d Date) Placeholder() bool { return d.Month == 1 && d.Day == 1 }

// Swapped is the date with day and month the other way round, and whether that is another real date.
func (d Date) Swapped() (Date, bool) {
	if d.Day == 0 || d.Month == 0 || d.Day > 12 || d.Day == d.Month {
		return d, false
	}
	d.Month, d.Day = d.Day, d.Month
	return d, true
}
