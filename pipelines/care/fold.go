package care

import (
	"cmp"
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

// Rows are what a set of contacts comes to, each kind ascending by id.
type Rows struct {
	Conversations []Conversation
	Cases         []Case
	Surveys       []Survey
	Verbatims     []Verbatim
}

// Fold makes the rows of a set of contacts. contacts may hold copies and have any order, which it loses.
func Fold(contacts []Contact, rules *Rules) Rows {
	slices.SortFunc(contacts, func(a, b Contact) int { return compare(&a, &b) })
	contacts = slices.CompactFunc(contacts, func(a, b Contact) bool { return a.ID == b.ID })
	correct(contacts)
	f := &fold{rules: rules, byThread: map[string][]*thread{}, owners: map[string][]string{}, cases: map[caseKey]*dossier{}}
	for i := range contacts {
		c := &contacts[i]
		if isContact(c.Type) {
			f.contacts = append(f.contacts, c)
		}
		if isMark(c.Type) {
			f.marks = append(f.marks, c)
		}
		if isSurvey(c.Type) {
			f.surveys = append(f.surveys, c)
		}
		if keepsCase(c.Type) && c.Case != "" && !slices.Contains(f.owners[c.Case], c.keeper()) {
			f.owners[c.Case] = append(f.owners[c.Case], c.keeper())
		}
	}
	f.group()
	f.assign()
	return f.rows()
}

// fold is one run of Fold.
type fold struct {
	rules    *Rules
	contacts []*Contact // that make conversations; as the next two ascending by time and id
	marks    []*Contact
	surveys  []*Contact

	threads  []*thread
	byThread map[string][]*thread // by the channel's own id, of whatever source
	owners   map[string][]string  // by the number of a case, the sources that keep one
	cases    map[caseKey]*dossier
	said     map[schema.EventID]*Verbatim
}

// caseKey names a case: the source that keeps it and what that calls it; a case of its own by the id of its conversation.
type caseKey struct {
	source, number string
	own            schema.EventID
}

// thread is a conversation with what belongs to it.
type thread struct {
	contacts []*Contact
	row      Conversation
	key      caseKey
	flags    flags
}

// dossier is a case with what belongs to it.
type dossier struct {
	key     caseKey
	threads []*thread
	marks   []*Contact
	row     Case
	flags   flags
}

// flags collects what is wrong, each reason once.
type flags []string

func (f *flags) add(flag string) {
	at, found := slices.BinarySearch(*f, flag)
	if !found {
		*f = slices.Insert(*f, at, flag)
	}
}

// group puts contacts into threads.
func (f *fold) group() {
	sets := newSets(len(f.contacts))
	type sourced struct{ source, id string }
	first := map[sourced]int{} // of the contacts of a thread
	named := map[sourced]int{} // the contact that a message id names
	loose := map[sourced][]int{}
	endlessThreads := map[sourced][]int{}
	for i, c := range f.contacts {
		for _, name := range c.threads() {
			key := sourced{c.Source, name}
			if endless(c.Channel) {
				endlessThreads[key] = append(endlessThreads[key], i)
			} else if other, known := first[key]; known {
				sets.join(other, i)
			} else {
				first[key] = i
			}
		}
		for _, m := range c.messages() {
			if _, known := named[sourced{c.Source, m}]; !known {
				named[sourced{c.Source, m}] = i
			}
		}
		if c.loose() {
			key := sourced{c.Source, string(c.Persona[:]) + flow(c.Channel).String()}
			loose[key] = append(loose[key], i)
		}
	}
	for i, c := range f.contacts {
		for _, m := range c.messages() { // the same message told twice
			if c.Type != schema.TypeMessageReceived && c.Type != schema.TypeMessageSent || c.Thread == "" {
				sets.join(named[sourced{c.Source, m}], i)
			}
		}
		if c.Thread != "" && c.Type != schema.TypeMentionEngaged { // the channel knows better
			continue
		}
		for _, m := range c.answers() {
			if other, known := named[sourced{c.Source, m}]; known {
				sets.join(other, i)
			} else if other, known := first[sourced{c.Source, m}]; known { // the parent is a thread
				sets.join(other, i)
			} else { // those that answer the same missing message are together
				named[sourced{c.Source, m}] = i
			}
		}
	}
	for _, runs := range []map[sourced][]int{loose, endlessThreads} {
		for _, run := range runs { // each run is a set of its own: their order changes nothing
			for n := 1; n < len(run); n++ {
				a, b := f.contacts[run[n-1]], f.contacts[run[n]]
				if Span(b.At-a.At) <= f.rules.gap(flow(b.Channel)) {
					sets.join(run[n-1], run[n])
				}
			}
		}
	}
	of := map[int]*thread{}
	for i, c := range f.contacts { // ascending, so the threads are, too
		root := sets.root(i)
		t := of[root]
		if t == nil {
			t = &thread{}
			of[root] = t
			f.threads = append(f.threads, t)
		}
		t.contacts = append(t.contacts, c)
	}
	for _, t := range f.threads {
		t.circles()
		t.fold(f.rules)
		seen := map[string]bool{}
		for _, c := range t.contacts {
			for _, name := range c.threads() {
				if !seen[name] {
					seen[name] = true
					f.byThread[name] = append(f.byThread[name], t)
				}
			}
		}
	}
}

// circles flags messages that answer each other in a circle.
func (t *thread) circles() {
	parent := map[string]string{}
	for _, c := range t.contacts {
		if c.Parent == "" {
			continue
		}
		for _, m := range c.messages() {
			if _, known := parent[m]; !known {
				parent[m] = c.Parent
			}
		}
	}
	done := map[string]bool{}
	for start := range parent { // whichever is first: a circle is found from each of its members
		path := map[string]bool{}
		for at := start; at != "" && !done[at]; at = parent[at] {
			if path[at] {
				t.flags.add(FlagCircularParent)
				return
			}
			path[at] = true
		}
		for at := range path {
			done[at] = true
		}
	}
}

// naming finds the conversation that a mark names by one of its messages; nil if there is none.
func (f *fold) naming(c *Contact) *thread {
	if !isMark(c.Type) {
		return nil
	}
	source, message := c.names()
	if message == "" {
		return nil
	}
	for _, t := range f.threads {
		for _, in := range t.contacts {
			if in.Source == source && slices.Contains(in.messages(), message) {
				return t
			}
		}
	}
	return nil
}

// about finds the conversation that a mark or survey names, by a message or by its thread: that of its own source, else the only one there is. On a channel
// with an endless thread it is the latest that had begun. found is false if there is none, or several.
func (f *fold) about(c *Contact) (t *thread, ambiguous bool) {
	if t := f.naming(c); t != nil {
		return t, false
	}
	if c.Thread == "" {
		return nil, false
	}
	var own, other *thread
	sources := map[string]bool{}
	for _, candidate := range f.byThread[c.Thread] {
		source := candidate.contacts[0].Source
		pick := &other
		if source == c.Source {
			pick = &own
		} else {
			sources[source] = true
		}
		if *pick == nil || candidate.contacts[0].At <= c.At { // ascending
			*pick = candidate
		}
	}
	switch {
	case own != nil:
		return own, false
	case len(sources) > 1:
		return nil, true
	}
	return other, false
}

// keyOf resolves what a contact calls its case.
func (f *fold) keyOf(c *Contact, number string) (key caseKey, ambiguous, ok bool) {
	if number == "" {
		return caseKey{}, false, false
	}
	owners := f.owners[number]
	switch {
	case slices.Contains(owners, c.keeper()):
		return caseKey{source: c.keeper(), number: number}, false, true
	case len(owners) == 1:
		return caseKey{source: owners[0], number: number}, false, true
	case len(owners) > 1:
		return caseKey{}, true, false
	}
	return caseKey{number: number}, false, true // nobody keeps it: one for all who name it
}

func (f *fold) dossier(key caseKey) *dossier {
	d := f.cases[key]
	if d == nil {
		d = &dossier{key: key}
		f.cases[key] = d
	}
	return d
}

// assign puts conversations and marks into cases.
func (f *fold) assign() {
	claims := map[*thread][]caseKey{} // in the order of time
	claim := func(t *thread, key caseKey) {
		if list := claims[t]; !slices.Contains(list, key) {
			claims[t] = append(list, key)
		}
	}
	type said struct {
		at  *Contact
		t   *thread
		key caseKey
	}
	var all []said
	for _, t := range f.threads {
		for _, c := range t.contacts {
			key, ambiguous, ok := f.keyOf(c, c.Case)
			if ambiguous {
				t.flags.add(FlagAmbiguousCase)
			}
			if ok {
				all = append(all, said{c, t, key})
			}
		}
	}
	for _, m := range f.marks {
		t, ambiguous := f.about(m)
		key, _, ok := f.keyOf(m, m.Case)
		if ok && ambiguous {
			f.dossier(key).flags.add(FlagAmbiguousThread)
		}
		if ok && t != nil {
			all = append(all, said{m, t, key})
		}
	}
	slices.SortFunc(all, func(a, b said) int { return compare(a.at, b.at) })
	for _, s := range all {
		claim(s.t, s.key)
	}
	for _, t := range f.threads {
		switch list := claims[t]; len(list) {
		case 0:
			t.key = caseKey{own: t.contacts[0].ID}
		case 1:
			t.key = list[0]
		default:
			t.key = list[len(list)-1]
			t.flags.add(FlagSeveralCases)
		}
		d := f.dossier(t.key)
		d.threads = append(d.threads, t)
	}
	for _, m := range f.marks {
		if key, ambiguous, ok := f.keyOf(m, m.Case); ok {
			d := f.dossier(key)
			d.marks = append(d.marks, m)
		} else if t, _ := f.about(m); t != nil { // a gesture or note on a conversation
			d := f.dossier(t.key)
			d.marks = append(d.marks, m)
			if ambiguous {
				d.flags.add(FlagAmbiguousCase)
			}
		}
	}
}

// rows folds what was put together.
func (f *fold) rows() (rows Rows) {
	for _, d := range f.cases {
		d.fold(f.rules)
	}
	f.merge()
	for _, d := range f.cases {
		d.row.Flags = d.flags
		f.heardOf(d)
		rows.Cases = append(rows.Cases, d.row)
		for _, t := range d.threads {
			t.row.Case, t.row.CaseNumber = d.row.ID, d.row.Number
			t.row.Flags = t.flags
			t.inherit(&d.row)
			t.row.Language = cmp.Or(t.row.Language, spoken(t.contacts))
			rows.Conversations = append(rows.Conversations, t.row)
			f.heardIn(t)
		}
	}
	rows.Surveys = f.answers()
	rows.Verbatims = f.verbatims()
	slices.SortFunc(rows.Cases, func(a, b Case) int { return a.ID.Compare(b.ID) })
	slices.SortFunc(rows.Conversations, func(a, b Conversation) int { return a.ID.Compare(b.ID) })
	slices.SortFunc(rows.Surveys, func(a, b Survey) int { return a.ID.Compare(b.ID) })
	return rows
}

// sets is a union-find over places in a list; the root of a set is its smallest member.
type sets []int

func newSets(n int) sets {
	s := make(sets, n)
	for i := range s {
		s[i] = i
	}
	return s
}

func (s sets) root(i int) int {
	for s[i] != i {
		s[i] = s[s[i]]
		i = s[i]
	}
	return i
}

func (s sets) join(a, b int) {
	a, b = s.root(a), s.root(b)
	s[max(a, b)] = min(a, b)
}
