package population

import (
	"fmt"
	"strings"
	"time"
)

// Record is one row: what a source knows of a customer, and who it is in truth.
type Record struct {
	Number    uint64 // orders a file: records in the order of their numbers are well shuffled
	Source    string
	SeenAt    time.Time
	FullName  string
	FirstName string
	LastName  string
	BirthDate string
	Email     string
	Phone     string
	Street    string
	Postcode  string
	City      string
	Card      string
	UserID    string
	Handle    string
	Cookie    string
	// Person is the label; empty where nobody could tell from the row and the others who it is: it has neither a name with a birth date, a
	// postcode or a town, nor a mailbox, number, card, account or cookie that another row of the same person has.
	Person string

	card, phone, mailbox, account string // what is meant, before slips; empty where it is nobody's
}

// Columns are the columns of a file of records, the same as those of clients_fr.
const Columns = "record_id,source,seen_at,full_name,first_name,last_name,birth_date,email,phone,street,postcode,city,loyalty_card,user_id,handle,cookie,person_id"

// mostRecords bounds the records of a person.
const mostRecords = 32

// ID is the record's id. Two records of a population never have one.
func (r *Record) ID() string { return fmt.Sprintf("r%010x", r.Number) }

// AppendCSV appends the record as a line of a file.
func (r *Record) AppendCSV(line []byte) []byte {
	line = append(line, r.ID()...)
	for _, field := range [...]string{
		r.Source, r.SeenAt.Format(time.RFC3339), r.FullName, r.FirstName, r.LastName, r.BirthDate, r.Email, r.Phone, r.Street, r.Postcode, r.City,
		r.Card, r.UserID, r.Handle, r.Cookie, r.Person,
	} {
		line = append(line, ',')
		if strings.ContainsAny(field, ",\"\n\r") {
			line = append(line, '"')
			line = append(line, strings.ReplaceAll(field, `"`, `""`)...)
			line = append(line, '"')
			continue
		}
		line = append(line, field...)
	}
	return append(line, '\n')
}

// scribe writes the records of one person.
type scribe struct {
	*Population
	chance
	h       *household
	m       *person
	place   int
	visits  int
	records []Record
}

// records writes what the sources know of each member of a household.
func (p *Population) records(h *household) (of [][]Record) {
	c := p.chance(h.number, streamRecords)
	for i := range h.members {
		s := scribe{Population: p, chance: c, h: h, m: &h.members[i], place: i}
		s.write()
		for i := range s.records {
			r := &s.records[i]
			r.Number = permute(uint64(s.m.number)*mostRecords+uint64(i), 1<<40, p.key("record"))
			if s.told(r) {
				r.Person = fmt.Sprintf("P%07d", s.m.number)
			}
		}
		of = append(of, s.records)
	}
	return of
}

// told says whether somebody could know whose record it is.
func (s *scribe) told(r *Record) bool {
	if r.FullName+r.FirstName+r.LastName != "" && r.BirthDate+r.Postcode+r.City != "" {
		return true
	}
	for i := range s.records {
		o := &s.records[i]
		if o == r {
			continue
		}
		for _, pair := range [...][2]string{{r.mailbox, o.mailbox}, {r.phone, o.phone}, {r.card, o.card}, {r.account, o.account}, {r.Cookie, o.Cookie}} {
			if pair[0] != "" && pair[0] == pair[1] {
				return true
			}
		}
	}
	return false
}

func (s *scribe) write() {
	for range s.count(crmOne, crmTwo) {
		r := s.begin("crm")
		s.named(r)
		s.housed(r)
		if s.is(crmBirth) {
			r.BirthDate = s.born()
		}
		s.reached(r, crmEmail)
		s.called(r, crmPhone)
	}
	if s.mailboxAt(s.plan.From) != "" { // nobody orders without a mailbox
		s.shop()
	}
	stores := s.count(storeOne, storeTwo)
	for range stores {
		s.card(s.begin("store"), dated{})
	}
	if stores == 1 && len(s.m.card) > 1 {
		s.card(s.begin("store"), s.other(s.m.card, func(r *Record) string { return r.Card }))
	}
	for range s.count(callcenterOne, callcenterTwo) {
		r := s.begin("callcenter")
		r.FullName = s.heard(r.SeenAt)
		if s.is(placeholderPhone) {
			r.Phone = placeholder
		} else {
			s.called(r, rateCount)
		}
		if s.is(callcenterCity) {
			r.City = s.city(s.h.home(r.SeenAt).city)
		}
		if stores > 0 && s.is(callcenterCard) {
			r.Card = at(s.m.card, r.SeenAt)
			r.card = r.Card
		}
	}
	if s.is(supportOne) && s.mailboxAt(s.plan.From) != "" {
		r := s.begin("support_email")
		if s.is(supportName) {
			r.FullName = s.fullName(r.SeenAt)
		}
		r.mailbox = s.mailboxAt(r.SeenAt)
		r.Email = s.cased(r.mailbox) // the mail program makes no slips
	}
	if s.is(surveyOne) && s.mailboxAt(s.plan.From) != "" {
		r := s.begin("survey")
		if s.is(surveyName) {
			r.FullName = s.fullName(r.SeenAt)
		}
		if s.is(robotMailbox) {
			r.Email = s.country.robot
		} else {
			s.reached(r, rateCount)
			if stores > 0 && s.is(surveyCard) {
				r.Card = at(s.m.card, r.SeenAt)
				r.card = r.Card
			}
		}
	}
	if s.is(socialOne) {
		r := s.begin("social")
		r.Handle = s.handle(s.m)
		if s.is(socialName) {
			r.FullName = s.fullName(r.SeenAt)
		}
		s.reached(r, socialEmail)
	}
	for range s.count(webOne, webTwo) {
		r := s.begin("web")
		r.Cookie = s.cookie()
		switch {
		case s.is(webAccount):
			r.UserID = at(s.m.account, r.SeenAt)
			r.account = r.UserID
		default:
			s.reached(r, webEmail)
		}
	}
}

// placeholder is what an agent's form demands when the number is withheld.
const placeholder = "0000000000"

func (s *scribe) begin(source string) *Record {
	s.records = append(s.records, Record{Source: source, SeenAt: s.instant(s.chance, 0, 1)})
	return &s.records[len(s.records)-1]
}

// shop writes the records of the online shop.
func (s *scribe) shop() {
	order := func(r *Record, other dated) {
		if other.value != "" {
			r.SeenAt = other.from
		}
		s.named(r)
		s.housed(r)
		s.reached(r, rateCount)
		s.called(r, ecommercePhone)
		if r.UserID = other.value; other.value == "" && s.is(ecommerceAccount) {
			r.UserID = at(s.m.account, r.SeenAt)
		}
		r.account = r.UserID
	}
	orders := s.count(ecommerceOne, ecommerceTwo)
	for range orders {
		order(s.begin("ecommerce"), dated{})
	}
	if orders == 1 && len(s.m.account) > 1 && s.records[len(s.records)-1].UserID != "" {
		order(s.begin("ecommerce"), s.other(s.m.account, func(r *Record) string { return r.UserID }))
	}
}

// card writes a record of a loyalty card: of the one that is shown at the time, or of another one at its time.
func (s *scribe) card(r *Record, other dated) {
	if r.Card = other.value; other.value != "" {
		r.SeenAt = other.from
	} else {
		r.Card = s.cardAt(r.SeenAt)
	}
	r.card = r.Card
	s.named(r)
	if s.is(storeBirth) {
		r.BirthDate = s.born()
	}
	s.reached(r, storeEmail)
	s.called(r, storePhone)
	if s.is(storePostcode) {
		r.Postcode = s.h.home(r.SeenAt).postcode
	}
}

// other is the one of two values that the records so far do not show, with a time at which it was in use.
func (s *scribe) other(values []dated, shown func(*Record) string) dated {
	out := values[0]
	from, to := s.plan.From, values[1].from
	for i := range s.records {
		if shown(&s.records[i]) == out.value {
			out, from, to = values[1], values[1].from, s.plan.To
			break
		}
	}
	out.from = from.Add(time.Duration(s.Float64() * float64(to.Sub(from)))).Truncate(time.Second)
	return out
}

// cardAt is the card that is shown at a till: now and then somebody else's of the household.
func (s *scribe) cardAt(t time.Time) string {
	if len(s.h.members) > 1 && s.is(cardLent) {
		return at(s.h.members[(s.place+1)%len(s.h.members)].card, t)
	}
	return at(s.m.card, t)
}

// mailboxAt is the mailbox that a person gives at a time, empty if there is none.
func (s *scribe) mailboxAt(t time.Time) string {
	first := &s.h.members[0]
	if s.h.mailbox && s.m != first && (s.m.only || len(s.m.mailbox) == 0 || s.of(.4)) {
		return at(first.mailbox, t)
	}
	// A second mailbox does not end the first one's use at once.
	if len(s.m.mailbox) > 1 && s.of(.3) {
		return s.m.mailbox[0].value
	}
	return at(s.m.mailbox, t)
}

// reached writes a mailbox at a rate; rateCount is always.
func (s *scribe) reached(r *Record, often rate) {
	if often != rateCount && !s.is(often) {
		return
	}
	r.mailbox = s.mailboxAt(r.SeenAt)
	r.Email = r.mailbox
	if r.Email != "" && s.is(typoMailbox) {
		r.Email = s.slipMailbox(r.Email)
	}
	r.Email = s.cased(r.Email)
}

// called writes a phone number at a rate; rateCount is always.
func (s *scribe) called(r *Record, often rate) {
	if often != rateCount && !s.is(often) {
		return
	}
	mobile := at(s.m.phone, r.SeenAt)
	if first := &s.h.members[0]; s.m.lodged && len(first.phone) > 0 {
		mobile = at(first.phone, r.SeenAt)
	}
	r.phone = mobile
	if s.h.landline != "" && (mobile == "" || s.is(landlineGiven)) {
		r.phone = s.h.landline
	}
	if r.phone == "" {
		if r.Source == "callcenter" {
			r.Phone = placeholder
		}
		return
	}
	r.Phone = s.dialled(r.phone)
}

// cookie is a browser's: a new one nearly every time.
func (s *scribe) cookie() string {
	n := uint64(s.m.number)*4 + uint64(s.visits%3)
	s.visits++
	if len(s.h.members) > 1 && s.is(cookieShared) {
		n = uint64(s.h.members[0].number)*4 + 3
	}
	return fmt.Sprintf("c_%08x", permute(n, 1<<32, s.key("cookie")))
}
