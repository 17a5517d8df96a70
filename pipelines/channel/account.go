package channel

import "github.com/dossier-cdp/dossier/schema"

// accountRank orders the kinds that may be an account: what a company declares about its customer, then the device, then the
// contact. E-mail, phone and address are not here: several people share them. A kind that is not listed ranks after the declared
// ones, since a source that invents a kind means its own customers by it.
var accountRank = map[string]int{
	"user_id": 1, "customer_id": 2, "crm_id": 3, "card": 4, "contract_id": 5,
	"device_id": 20, "anonymous_id": 21, "cookie": 22,
	"conversation_id": 30, "call_id": 31, "record_id": 32,
}

const unlistedRank = 10

// notAccounts are kinds that several people share, or that name a thing and no customer.
var notAccounts = map[string]bool{
	"email": true, "phone": true, "address": true, "order_id": true, "ip": true, "postcode": true, "name": true,
}

// ChooseAccount takes the account of an event that names none from its identifiers: the best kind by rank, of one kind the
// smallest value, so that the order in which they were sent changes nothing. The source's own kind of userId comes first.
func (m *Mapped) ChooseAccount(s *Source) {
	e := &m.Event
	best, found := 0, -1
	for i, candidate := range e.Identifiers {
		if notAccounts[candidate.Kind] {
			continue
		}
		rank, listed := accountRank[candidate.Kind]
		switch {
		case candidate.Kind == s.UserKind():
			rank = 0
		case !listed:
			rank = unlistedRank
		}
		if found < 0 || rank < best || rank == best && before(candidate, e.Identifiers[found]) {
			best, found = rank, i
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

// OwnAccount is the account of a record that names nobody: it is its own persona.
func (m *Mapped) OwnAccount() schema.Account {
	const digits = "0123456789abcdef"
	if id := m.Event.Provenance.MessageID; id != "" {
		return schema.Account{Kind: "record_id", Value: id}
	}
	var value [64]byte
	for i, b := range m.Fingerprint {
		value[2*i], value[2*i+1] = digits[b>>4], digits[b&15]
	}
	return schema.Account{Kind: "record_id", Value: string(value[:])}
}

// Shared says whether several people may have one value of a kind, so that it can be no account.
func Shared(kind string) bool { return notAccounts[kind] }
