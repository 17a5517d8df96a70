package channel

import (
	"github.com/dossier-cdp/dossier/pipelines/identifier"
	"github.com/dossier-cdp/dossier/schema"
)

// preferred are the declared kinds that most companies have, best first.
var preferred = map[string]int{"user_id": 1, "customer_id": 2, "crm_id": 3, "card": 4, "contract_id": 5}

// The ranks of other kinds that may be an account: what a company declares about its customer, then what it calls by a name of its
// own, then the device, then the contact.
const (
	rankOwn      = 0 // the kind of the source's userId
	rankDeclared = 10
	rankOther    = 15
	rankDevice   = 20
	rankContact  = 30
	noAccount    = 1000
)

// shared are kinds that several people may have one value of, or that name a thing and no customer.
var shared = map[string]bool{
	"email": true, "phone": true, "address": true, identifier.NameAndBirth: true, "order_id": true, "ip": true, "postcode": true, "name": true,
}

// Shared says whether several people may have one value of a kind, so that it can be no account.
func Shared(kind string) bool { return shared[kind] || shared[identifier.Of(kind).Name] }

func rank(kind string, s *Source) int {
	if kind == s.UserKind() {
		return rankOwn
	}
	if r, listed := preferred[kind]; listed {
		return r
	}
	switch k := identifier.Of(kind); {
	case Shared(kind):
		return noAccount
	case k.Account:
		return rankDeclared
	case k.Device:
		return rankDevice
	case !k.Evidence:
		return rankContact
	}
	return rankOther
}

// ChooseAccount takes the account of an event that names none from its identifiers: the best kind by rank, of one kind the
// smallest value, so that the order in which they were sent changes nothing. The source's own kind of userId comes first.
func (m *Mapped) ChooseAccount(s *Source) {
	e := &m.Event
	best, found := 0, -1
	for i, candidate := range e.Identifiers {
		at := rank(candidate.Kind, s)
		if at == noAccount {
			continue
		}
		if found < 0 || at < best || at == best && before(candidate, e.Identifiers[found]) {
			best, found = at, i
		}
	}
	if found >= 0 {
		e.Account = schema.Account{Kind: e.Identifiers[found].Kind, Value: e.Identifiers[found].Value}
		return
	}
	if e.Conversation != "" {
		e.Account = schema.Account{Kind: "conversation_id", Value: e.Conversation}
		return
	}
	m.OwnPersona = true
}

func before(a, b schema.Identifier) bool {
	if a.Kind != b.Kind {
		return a.Kind < b.Kind
	}
	return a.Value < b.Value
}

// OwnAccount is the account of a record that names nobody: it is its own persona, by its message id within its mapping, or by its
// fingerprint.
func (m *Mapped) OwnAccount() schema.Account {
	const digits = "0123456789abcdef"
	if p := &m.Event.Provenance; p.MessageID != "" {
		if p.Routing != "" { // two files of one source may both have a row 1
			return schema.Account{Kind: "record_id", Value: p.Mapping + "/" + p.MessageID}
		}
		return schema.Account{Kind: "record_id", Value: p.MessageID}
	}
	var value [64]byte
	for i, b := range m.Fingerprint {
		value[2*i], value[2*i+1] = digits[b>>4], digits[b&15]
	}
	return schema.Account{Kind: "record_id", Value: string(value[:])}
}
