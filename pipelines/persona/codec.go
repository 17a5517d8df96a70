package persona

import (
	"encoding/binary"
	"errors"

	"github.com/dossier-cdp/dossier/schema"
)

// Binary form of a state. Numbers are varints (times and differences zigzag), strings are a length and bytes. Lists have a count before
// them. A candidate's times are differences to the state's First, which keeps them short.
//
//	version (1)
//	id(16) persona(16) epoch source trust account-kind account-value first last−first
//	contacts:    channel first−F last−first
//	identifiers: kind normal flags(1 unusable, 2 value differs from normal, 4 superseded) [value] assurance first−F last−first [superseded-by superseded-at−F]
//	traits:      name flags(1 earliest, 2 taken) best candidates, [earliest], [taken]
//	             candidate: value occurred−F event(16) assurance
//	consents:    kind normal channel purpose value state occurred−F event(16) legal-basis text-version proof expiry
const stateVersion = 1

const (
	flagUnusable   = 1
	flagValue      = 2
	flagSuperseded = 4

	flagEarliest = 1
	flagTaken    = 2
)

// AppendBinary appends the binary form: equal states give equal bytes.
func (s *State) AppendBinary(dst []byte) []byte {
	w := writer{dst, s.First}
	w.byte(stateVersion)
	w.b = append(w.b, s.ID[:]...)
	w.b = append(w.b, s.Of.Persona[:]...)
	w.number(uint64(s.Of.Epoch))
	w.string(s.Source)
	w.byte(byte(s.Trust))
	w.string(s.Account.Kind)
	w.string(s.Account.Value)
	w.signed(int64(s.First))
	w.signed(int64(s.Last - s.First))
	w.number(uint64(len(s.Contacts)))
	for _, c := range s.Contacts {
		w.byte(byte(c.Channel))
		w.span(c.First, c.Last)
	}
	w.number(uint64(len(s.Identifiers)))
	for i := range s.Identifiers {
		w.identifier(&s.Identifiers[i])
	}
	w.number(uint64(len(s.Traits)))
	for i := range s.Traits {
		w.trait(&s.Traits[i])
	}
	w.number(uint64(len(s.Consents)))
	for i := range s.Consents {
		w.statement(&s.Consents[i])
	}
	return w.b
}

type writer struct {
	b     []byte
	first schema.Instant
}

func (w *writer) byte(b byte)              { w.b = append(w.b, b) }
func (w *writer) number(n uint64)          { w.b = binary.AppendUvarint(w.b, n) }
func (w *writer) signed(n int64)           { w.b = binary.AppendVarint(w.b, n) }
func (w *writer) instant(t schema.Instant) { w.signed(int64(t - w.first)) }

func (w *writer) string(s string) {
	w.number(uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *writer) span(first, last schema.Instant) {
	w.instant(first)
	w.signed(int64(last - first))
}

func (w *writer) identifier(id *Identifier) {
	flags := byte(0)
	if id.Unusable {
		flags |= flagUnusable
	}
	if id.Value != id.Normal {
		flags |= flagValue
	}
	if id.SupersededBy != "" {
		flags |= flagSuperseded
	}
	w.string(id.Kind)
	w.string(id.Normal)
	w.byte(flags)
	if flags&flagValue != 0 {
		w.string(id.Value)
	}
	w.byte(byte(id.Assurance))
	w.span(id.First, id.Last)
	if flags&flagSuperseded != 0 {
		w.string(id.SupersededBy)
		w.instant(id.SupersededAt)
	}
}

func (w *writer) trait(t *Trait) {
	flags := byte(0)
	if !t.Earliest.IsZero() {
		flags |= flagEarliest
	}
	if !t.Taken.IsZero() {
		flags |= flagTaken
	}
	w.string(t.Name)
	w.byte(flags)
	w.number(uint64(len(t.Best)))
	for i := range t.Best {
		w.candidate(&t.Best[i])
	}
	if flags&flagEarliest != 0 {
		w.candidate(&t.Earliest)
	}
	if flags&flagTaken != 0 {
		w.candidate(&t.Taken)
	}
}

func (w *writer) candidate(c *Candidate) {
	w.string(c.Value)
	w.instant(c.OccurredAt)
	w.b = append(w.b, c.Event[:]...)
	w.byte(byte(c.Assurance))
}

func (w *writer) statement(s *Statement) {
	w.string(s.Kind)
	w.string(s.Normal)
	w.byte(byte(s.Channel))
	w.string(s.Purpose)
	w.string(s.Value)
	w.byte(byte(s.State))
	w.instant(s.OccurredAt)
	w.b = append(w.b, s.Event[:]...)
	w.string(s.LegalBasis)
	w.string(s.TextVersion)
	w.string(s.Proof)
	w.signed(int64(s.Expiry))
}

var errDamaged = errors.New("damaged persona state")

// Decode reads the binary form. It keeps no memory of b. The error, if any, is fatal: the store is damaged or of a later version.
func Decode(b []byte) (*State, error) {
	r := reader{b: string(b)} // one allocation; every string of the state is a part of it
	if r.byte() != stateVersion {
		return nil, schema.Classify(schema.Fatal, errors.New("persona state of a version that this program does not know"))
	}
	s := &State{}
	r.id((*[16]byte)(&s.ID))
	r.id((*[16]byte)(&s.Of.Persona))
	s.Of.Epoch = uint32(r.number())
	s.Source = r.string()
	s.Trust = schema.Trust(r.byte())
	s.Account.Kind, s.Account.Value = r.string(), r.string()
	s.First = schema.Instant(r.signed())
	r.first = s.First
	s.Last = s.First + schema.Instant(r.signed())
	s.Contacts = list(&r, func(c *Contact) {
		c.Channel = schema.Channel(r.byte())
		c.First, c.Last = r.span()
	})
	s.Identifiers = list(&r, r.identifier)
	s.Traits = list(&r, r.trait)
	s.Consents = list(&r, r.statement)
	if r.bad || r.b != "" {
		return nil, schema.Classify(schema.Fatal, errDamaged)
	}
	return s, nil
}

type reader struct {
	b     string
	first schema.Instant
	bad   bool

	candidates []Candidate // of the traits to come: most have one, and a list of one for each would be what reading a state costs most
}

func (r *reader) take(n uint64) string {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, ""
		return ""
	}
	s := r.b[:n]
	r.b = r.b[n:]
	return s
}

func (r *reader) byte() byte {
	if s := r.take(1); s != "" {
		return s[0]
	}
	return 0
}

func (r *reader) id(id *[16]byte) { copy(id[:], r.take(16)) }

func (r *reader) number() (n uint64) {
	for shift := 0; shift < 64; shift += 7 {
		b := r.byte()
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
	r.bad, r.b = true, ""
	return 0
}

func (r *reader) signed() int64 {
	n := r.number()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *reader) string() string          { return r.take(r.number()) }
func (r *reader) instant() schema.Instant { return r.first + schema.Instant(r.signed()) }

func (r *reader) span() (first, last schema.Instant) {
	first = r.instant()
	return first, first + schema.Instant(r.signed())
}

// list reads a count and that many elements. Every element takes at least one byte, which bounds what a damaged count can allocate.
func list[T any](r *reader, read func(*T)) []T {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, ""
	}
	if r.bad || n == 0 {
		return nil
	}
	out := make([]T, n)
	for i := range out {
		read(&out[i])
	}
	return out
}

// best reads the candidates of a trait. Lists of one are cut from a longer one, with no room behind them, so that who appends to one takes a list of its own.
func (r *reader) best() []Candidate {
	if r.b == "" || r.b[0] != 1 {
		return list(r, r.candidate)
	}
	r.byte()
	if len(r.candidates) == 0 {
		const some = 8
		r.candidates = make([]Candidate, some)
	}
	one := r.candidates[:1:1]
	r.candidates = r.candidates[1:]
	r.candidate(&one[0])
	return one
}

func (r *reader) identifier(id *Identifier) {
	id.Kind, id.Normal = r.string(), r.string()
	flags := r.byte()
	id.Unusable = flags&flagUnusable != 0
	id.Value = id.Normal
	if flags&flagValue != 0 {
		id.Value = r.string()
	}
	id.Assurance = schema.Assurance(r.byte())
	id.First, id.Last = r.span()
	if flags&flagSuperseded != 0 {
		id.SupersededBy, id.SupersededAt = r.string(), r.instant()
	}
}

func (r *reader) trait(t *Trait) {
	t.Name = r.string()
	flags := r.byte()
	t.Best = r.best()
	if flags&flagEarliest != 0 {
		r.candidate(&t.Earliest)
	}
	if flags&flagTaken != 0 {
		r.candidate(&t.Taken)
	}
}

func (r *reader) candidate(c *Candidate) {
	c.Value = r.string()
	c.OccurredAt = r.instant()
	r.id((*[16]byte)(&c.Event))
	c.Assurance = schema.Assurance(r.byte())
}

func (r *reader) statement(s *Statement) {
	s.Kind, s.Normal = r.string(), r.string()
	s.Channel = schema.Channel(r.byte())
	s.Purpose, s.Value = r.string(), r.string()
	s.State = schema.ConsentState(r.byte())
	s.OccurredAt = r.instant()
	r.id((*[16]byte)(&s.Event))
	s.LegalBasis, s.TextVersion, s.Proof = r.string(), r.string(), r.string()
	s.Expiry = schema.Instant(r.signed())
}
