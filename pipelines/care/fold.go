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
	Mentions      []Mention
}

// Fold makes the rows of a set of contacts. contacts may hold copies and have any order.
func Fold(contacts []Contact, rules *Rules) Rows {
	all := make([]*Contact, len(contacts))
	for i := range contacts {
		all[i] = &contacts[i]
	}
	return NewFolder(rules).Fold(InOrder(all))
}

// InOrder sorts contacts as Folder.Fold wants them, and takes out copies.
func InOrder(contacts []*Contact) []*Contact {
	slices.SortFunc(contacts, compare)
	return slices.CompactFunc(contacts, func(a, b *Contact) bool { return a.ID == b.ID })
}

// Insert puts a contact where it belongs among others that are in order, and says where. It takes the place of a copy.
func Insert(contacts []*Contact, c *Contact) (out []*Contact, at int, copied bool) {
	at, copied = slices.BinarySearchFunc(contacts, c, compare)
	if copied {
		contacts[at] = c
		return contacts, at, true
	}
	return slices.Insert(contacts, at, c), at, false
}

// Folder folds one set of contacts after the other by the same rules. It belongs to one goroutine, and keeps nothing of a set but the room that it took.
type Folder struct {
	rules *Rules
	f     fold
}

// NewFolder makes a folder.
func NewFolder(rules *Rules) *Folder { return &Folder{rules: rules} }

// Fold makes the rows of a set of contacts, in order and without copies (InOrder), which it leaves as they are.
func (r *Folder) Fold(contacts []*Contact) Rows {
	f := &r.f
	f.reset(r.rules)
	for _, c := range correct(contacts) {
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

	// Room of group.
	sets           sets
	first, named   map[sourced]int // of the contacts of a thread; the contact that a message id names
	loose, endless map[sourced][]int
	of             []*thread
	names          []string
}

// sourced is something that a source has named.
type sourced struct{ source, id string }

// manyContacts is so large a set that its room is not worth keeping.
const manyContacts = 1000

func (f *fold) reset(rules *Rules) {
	if f.byThread == nil || len(f.contacts)+len(f.marks) > manyContacts {
		*f = fold{
			byThread: map[string][]*thread{}, owners: map[string][]string{}, cases: map[caseKey]*dossier{},
			first: map[sourced]int{}, named: map[sourced]int{}, loose: map[sourced][]int{}, endless: map[sourced][]int{},
		}
	} else {
		clear(f.contacts)
		clear(f.marks)
		clear(f.surveys)
		clear(f.threads)
		clear(f.byThread)
		clear(f.owners)
		clear(f.cases)
	}
	f.contacts, f.marks, f.surveys, f.threads, f.said = f.contacts[:0], f.marks[:0], f.surveys[:0], f.threads[:0], nil
	f.rules = rules
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
	claims   []caseKey // the cases that it is put in, in the order of time
	flags    flags
}

// dossier is a case with what belongs to it.
type dossier struct {
	key     caseKey
	threads []*thread  // ascending by their first contacts
	marks   []*Contact // ascending
	row     Case
	flags   flags
}

// flags collects what is wrong, each reason once. It never writes into what another one may share.
type flags []string

func (f *flags) add(flag string) {
	at, found := slices.BinarySearch(*f, flag)
	if !found {
		*f = slices.Insert(slices.Clip(*f), at, flag)
	}
}

// group puts contacts into threads.
func (f *fold) group() {
	f.sets = f.sets[:0]
	for i := range f.contacts {
		f.sets = append(f.sets, i)
	}
	sets, first, named := f.sets, f.first, f.named
	clear(first)
	clear(named)
	clear(f.loose)
	clear(f.endless)
	for i, c := range f.contacts {
		f.names = c.threads(f.names[:0])
		for _, name := range f.names {
			key := sourced{c.Source, name}
			if endless(c.Channel) {
				f.endless[key] = append(f.endless[key], i)
			} else if other, known := first[key]; known {
				sets.join(other, i)
			} else {
				first[key] = i
			}
		}
		f.names = c.messages(f.names[:0])
		for _, m := range f.names {
			if _, known := named[sourced{c.Source, m}]; !known {
				named[sourced{c.Source, m}] = i
			}
		}
		if c.loose() {
			key := sourced{c.Source, string(c.Persona[:]) + flow(c.Channel).String()}
			f.loose[key] = append(f.loose[key], i)
		}
	}
	for i, c := range f.contacts {
		if c.Type != schema.TypeMessageReceived && c.Type != schema.TypeMessageSent || c.Thread == "" { // the same message told twice
			f.names = c.messages(f.names[:0])
			for _, m := range f.names {
				sets.join(named[sourced{c.Source, m}], i)
			}
		}
		if c.Thread != "" && c.Type != schema.TypeMentionEngaged { // the channel knows better
			continue
		}
		f.names = c.answers(f.names[:0])
		for _, m := range f.names {
			if other, known := named[sourced{c.Source, m}]; known {
				sets.join(other, i)
			} else if other, known := first[sourced{c.Source, m}]; known { // the parent is a thread
				sets.join(other, i)
			} else { // those that answer the same missing message are together
				named[sourced{c.Source, m}] = i
			}
		}
	}
	for _, runs := range []map[sourced][]int{f.loose, f.endless} {
		for _, run := range runs { // each run is a set of its own: their order changes nothing
			for n := 1; n < len(run); n++ {
				a, b := f.contacts[run[n-1]], f.contacts[run[n]]
				if Span(b.At-a.At) <= f.rules.gap(flow(b.Channel)) {
					sets.join(run[n-1], run[n])
				}
			}
		}
	}
	f.of = append(f.of[:0], make([]*thread, len(f.contacts))...)
	for i, c := range f.contacts { // ascending, so the threads are, too
		root := sets.root(i) // the smallest of the set: it came first
		t := f.of[root]
		if t == nil {
			t = &thread{}
			f.of[root] = t
			f.threads = append(f.threads, t)
		}
		t.contacts = append(t.contacts, c)
	}
	clear(f.of)
	for _, t := range f.threads {
		t.circles()
		t.fold(f.rules)
		for i, c := range t.contacts {
			if i > 0 && c.Thread == t.contacts[i-1].Thread && c.Entity == t.contacts[i-1].Entity && c.Type == t.contacts[i-1].Type {
				continue
			}
			f.names = c.threads(f.names[:0])
			for _, name := range f.names {
				if list := f.byThread[name]; len(list) == 0 || list[len(list)-1] != t {
					f.byThread[name] = append(list, t)
				}
			}
		}
	}
}

// circles flags messages that answer each other in a circle.
func (t *thread) circles() {
	if !slices.ContainsFunc(t.contacts, func(c *Contact) bool { return c.Parent != "" }) {
		return
	}
	parent := map[string]string{}
	for _, c := range t.contacts {
		if c.Parent == "" {
			continue
		}
		for _, m := range c.messages(nil) {
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
			if in.Source == source && slices.Contains(in.messages(nil), message) {
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
	var elsewhere string // a source that has the thread
	several := false
	for _, candidate := range f.byThread[c.Thread] {
		source := candidate.contacts[0].Source
		pick := &other
		if source == c.Source {
			pick = &own
		} else {
			several = several || elsewhere != "" && elsewhere != source
			elsewhere = source
		}
		if *pick == nil || candidate.contacts[0].At <= c.At { // ascending
			*pick = candidate
		}
	}
	switch {
	case own != nil:
		return own, false
	case several:
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
	type said struct {
		at  *Contact
		t   *thread
		key caseKey
	}
	var room [16]said
	all := room[:0]
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
		if !slices.Contains(s.t.claims, s.key) {
			s.t.claims = append(s.t.claims, s.key)
		}
	}
	for _, t := range f.threads {
		switch list := t.claims; len(list) {
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
	rows.Cases, rows.Conversations = slices.Grow(rows.Cases, len(f.cases)), slices.Grow(rows.Conversations, len(f.threads))
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
	rows.Verbatims, rows.Mentions = f.verbatims(), f.mentions()
	slices.SortFunc(rows.Cases, func(a, b Case) int { return a.ID.Compare(b.ID) })
	slices.SortFunc(rows.Conversations, func(a, b Conversation) int { return a.ID.Compare(b.ID) })
	slices.SortFunc(rows.Surveys, func(a, b Survey) int { return a.ID.Compare(b.ID) })
	return rows
}

// sets is a union-find over places in a list; the root of a set is its smallest member.
type sets []int

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
