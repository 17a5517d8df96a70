package match

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/identifier/name"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute"
)

// nothing is the birth date that most forms say for nothing.
const nothing = "19000101"

// Values makes what is compared of a persona's attributes: every value once, whoever said it, in the model's terms. A field that the model
// does not know is left out when the record is put into a set.
func Values(a *attribute.Attributes) []Value {
	var out []Value
	add := func(field, text string) {
		if text == "" {
			return
		}
		for _, v := range out {
			if v.Field == field && v.Text == text {
				return
			}
		}
		out = append(out, Value{field, text})
	}
	for i := range a.Names {
		n := &a.Names[i].Value
		switch {
		case n.Unsplit:
			add("name", "?"+strings.Join(strings.Fields(n.Given+" "+n.Further+" "+n.Family), " "))
		case n.Given != "" || n.Family != "":
			add("name", n.Given+"|"+n.Family+"|"+n.Further)
		}
		if n.Maiden != "" {
			add("name", n.Given+"|"+n.Maiden+"|"+n.Further)
		}
	}
	if len(a.Names) > 0 {
		add("calling", calledBy(a))
	}
	for i := range a.Births {
		d := a.Births[i].Value
		if d.Year == 0 {
			continue
		}
		if !d.Whole() {
			d.Month, d.Day = 1, 1 // only the year is known, which is what a first of January is compared as
		}
		if text := fmt.Sprintf("%04d%02d%02d", d.Year, d.Month, d.Day); text != nothing {
			add("birth", text)
		}
	}
	for i := range a.Mailboxes {
		m := &a.Mailboxes[i].Value
		add("email", m.Local+"@"+m.Domain)
		if len(a.Names) == 0 {
			add("calling", givenIn(m.Local))
		}
	}
	for i := range a.Phones {
		add("phone", string(a.Phones[i].Value))
	}
	for i := range a.Addresses {
		w := &a.Addresses[i].Value
		street := w.Street
		switch {
		case w.Type == "":
		case w.Country == "" || w.Country == "FR":
			street = w.Type + " " + street
		default:
			street += " " + w.Type
		}
		postcode := w.Postcode
		if n := len(postcode); w.Country == "GB" && n >= 5 {
			postcode = postcode[:n-3] + " " + postcode[n-3:]
		}
		add("address", w.Number+w.Repeat+"|"+street+"|"+postcode+"|"+w.Commune)
		add("street", street)
		add("number", w.Number)
		add("postcode", postcode)
		add("commune", w.Commune)
		add("state", w.Department)
	}
	for i := range a.IDs {
		add(a.IDs[i].Value.Kind, a.IDs[i].Value.Value)
	}
	for i := range a.Birthplaces {
		add("place", a.Birthplaces[i].Value.Commune)
	}
	for i := range a.Occupations {
		add("occupation", string(a.Occupations[i].Value))
	}
	for i := range a.Genders {
		if g := a.Genders[i].Value; g != 0 {
			add("gender", g.String())
		}
	}
	for i := range a.Free {
		add(a.Free[i].Value.Kind, a.Free[i].Value.Value)
	}
	return out
}

// calledBy is all words of a persona's names.
func calledBy(a *attribute.Attributes) string {
	var words []string
	for i := range a.Names {
		n := &a.Names[i].Value
		for w := range strings.FieldsSeq(n.Given + " " + n.Further + " " + n.Family + " " + n.Maiden) {
			if len(w) > 1 {
				words = append(words, w)
			}
		}
	}
	slices.Sort(words)
	return strings.Join(slices.Compact(words), " ")
}

// shortestCarried is how many letters a given name must have to be believed as a part of a longer word.
const shortestCarried = 4

// givenIn finds the given name that the local part of a mailbox carries: a word of it, or its beginning or end; "" if there is none.
func givenIn(local string) string {
	words := strings.FieldsFunc(local, func(r rune) bool { return r < 'a' || r > 'z' })
	for _, w := range words {
		if len(w) >= 3 && name.Known(w) {
			return w
		}
	}
	for _, w := range words {
		for n := min(len(w), longest); n >= shortestCarried; n-- {
			if name.Known(w[:n]) {
				return w[:n]
			}
		}
		for n := min(len(w), longest); n >= shortestCarried; n-- {
			if name.Known(w[len(w)-n:]) {
				return w[len(w)-n:]
			}
		}
	}
	return ""
}
