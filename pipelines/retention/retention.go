// Package retention says which class an event belongs to, how long a class is kept, and which years of it have run out.
//
// Each (class, year of OccurredAt in UTC) has a secret of its own that is mixed into the keys of its events. When the secret is destroyed they are
// unreadable for everybody, in every copy of the log. So what is kept by a law and what is not must be of different classes.
//
// The package decides nothing and knows no clock: package rights of the services plans and decides by it.
package retention

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/schema"
)

// Class is a retention class as a configuration declares it.
type Class struct {
	// Purpose is what its events are kept for, in the words of the company's record of processing; shown, never interpreted.
	Purpose string `json:"purpose,omitempty"`
	// Years is how many whole years its events are kept after the year in which they occurred; absent is for ever.
	Years *int `json:"years,omitempty"`
	// Types are the event types that belong to the class, whatever their source says.
	Types []string `json:"types,omitempty"`
}

// Settings are the section retention of a configuration.
type Settings struct {
	Classes map[string]Class `json:"classes"`
}

// Rules are the section ready for use. They are read-only. A nil one keeps everything for ever.
type Rules struct {
	Classes map[string]Class
	byType  map[schema.Type]string
}

// FirstYear is the first year of which events are kept at all.
const FirstYear = 1900

// mostYears bounds how long a class is kept: longer is for ever.
const mostYears = 200

// Parse reads the section. What cannot be meant is a *schema.Refusal.
func Parse(s Settings) (*Rules, error) {
	r := &Rules{Classes: s.Classes, byType: map[schema.Type]string{}}
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		c := s.Classes[name]
		if !channel.IsName(name) {
			return nil, refuse(fmt.Sprintf("%q is no word of a-z, 0-9 and _", name), "rename the class")
		}
		if c.Years != nil && (*c.Years < 0 || *c.Years > mostYears) {
			return nil, refuse(fmt.Sprintf("class %s: years is %d", name, *c.Years), fmt.Sprintf("say 0 to %d whole years after the year of the event, or leave it out to keep for ever", mostYears))
		}
		for _, text := range c.Types {
			t, known := schema.ParseType(text)
			if !known {
				return nil, refuse(fmt.Sprintf("class %s: there is no event type %q", name, text), "use the built-in types, such as page.viewed; what has a custom name is track.performed")
			}
			if other, taken := r.byType[t]; taken {
				return nil, refuse(fmt.Sprintf("the type %s is of the classes %s and %s", t, other, name), "an event has one class: name the type once")
			}
			r.byType[t] = name
		}
	}
	return r, nil
}

func refuse(reason, hint string) error {
	return schema.Refuse("configuration_invalid", "retention: "+reason, hint)
}

// ClassOf is the class of an event: that of its type, else that of its source, else channel.DefaultClass.
func (r *Rules) ClassOf(source *channel.Source, t schema.Type) string {
	if r != nil {
		if class, of := r.byType[t]; of {
			return class
		}
	}
	return source.RetentionClass()
}

// ClassesOf are the classes that events of a source may be of, sorted.
func (r *Rules) ClassesOf(source *channel.Source) []string {
	classes := []string{source.RetentionClass()}
	if r != nil {
		classes = slices.AppendSeq(classes, maps.Values(r.byType))
	}
	slices.Sort(classes)
	return slices.Compact(classes)
}

// Ends is when a class and year may go, in UTC; false if it is kept for ever. An event of 31 December 2019 that is kept three years goes with all
// others of 2019 on 1 January 2023: none goes sooner than its time, and none later than a year after it.
func (r *Rules) Ends(of schema.ExpiredYear) (at time.Time, ends bool) {
	if r == nil {
		return at, false
	}
	c, declared := r.Classes[of.Class]
	if !declared || c.Years == nil {
		return at, false
	}
	return time.Date(of.Year+*c.Years+1, time.January, 1, 0, 0, 0, 0, time.UTC), true
}

// Due lists the classes and years whose time is over at now and that have not ended yet, sorted: years without any event, too, so that what comes late is
// refused.
func (r *Rules) Due(now time.Time, ended []schema.ExpiredYear) (due []schema.ExpiredYear) {
	if r == nil {
		return nil
	}
	for _, class := range slices.Sorted(maps.Keys(r.Classes)) {
		for year := FirstYear; ; year++ {
			of := schema.ExpiredYear{Class: class, Year: year}
			at, ends := r.Ends(of)
			if !ends || now.Before(at) {
				break
			}
			if !slices.Contains(ended, of) {
				due = append(due, of)
			}
		}
	}
	return due
}
