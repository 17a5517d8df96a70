package identifier

import "strings"

// Kind says what an identifier kind is. The registry is the same for every workspace; what a kind may join is configured
// (identity.Rules).
type Kind struct {
	Name string
	// Account: a source's own declared id for a customer. A persona whose account is of such a kind names somebody.
	Account bool
	// Device: names a device or browser, which several people may use.
	Device bool
	// ContactPoint: the customer can be reached by it, so it has consents and a place in the golden record.
	ContactPoint bool
	// National: the normal form depends on the source's country.
	National bool
	// Evidence: equal values say something about who it is. Conversations, calls and records are accounts of one contact only; an
	// IP address is shared by strangers.
	Evidence bool

	normalize func(value, country string) (string, error)
	mask      func(value string) string
}

// NameAndBirth is the kind of what package identity derives from a full name and a birth date: no source sends it.
const NameAndBirth = "name_and_birth_date"

var kinds = map[string]*Kind{}

// aliases are names that sources use for a kind of the registry.
var aliases = map[string]string{
	"mail": "email", "e-mail": "email", "email_address": "email", "telephone": "phone", "mobile": "phone", "msisdn": "phone", "phone_number": "phone",
	"userId": "user_id", "userid": "user_id", "anonymousId": "anonymous_id", "loyalty_card": "card", "loyaltyCard": "card",
	"deviceId": "device_id", "advertising_id": "device_id", "idfa": "device_id", "gaid": "device_id", "orderId": "order_id",
}

func register(k Kind) {
	if k.normalize == nil {
		k.normalize = opaque
	}
	if k.mask == nil {
		k.mask = maskToken
	}
	kinds[k.Name] = &k
}

func init() {
	register(Kind{Name: "email", ContactPoint: true, Evidence: true, normalize: email, mask: maskEmail})
	register(Kind{Name: "phone", ContactPoint: true, National: true, Evidence: true, normalize: phone, mask: maskPhone})
	register(Kind{Name: "address", ContactPoint: true, Evidence: true, normalize: address, mask: maskAddress})
	register(Kind{Name: NameAndBirth, Evidence: true})
	register(Kind{Name: "user_id", Account: true, Evidence: true})
	register(Kind{Name: "crm_id", Account: true, Evidence: true})
	register(Kind{Name: "card", Account: true, Evidence: true, normalize: code})
	register(Kind{Name: "order_id", Evidence: true})
	register(Kind{Name: "anonymous_id", Device: true, Evidence: true})
	register(Kind{Name: "device_id", Device: true, Evidence: true, normalize: device})
	register(Kind{Name: "cookie", Device: true, Evidence: true})
	for _, network := range []string{"twitter", "instagram", "tiktok", "telegram", "snapchat", "github", "reddit", "threads", "mastodon", "bluesky"} {
		register(Kind{Name: network + "_id", Account: true, Evidence: true, normalize: handle, mask: maskHandle})
	}
	for _, network := range []string{"facebook", "whatsapp", "messenger", "linkedin", "youtube", "google", "apple", "viber", "line", "wechat"} {
		register(Kind{Name: network + "_id", Account: true, Evidence: true})
	}
	register(Kind{Name: "handle", Account: true, Evidence: true, normalize: handle, mask: maskHandle})
	register(Kind{Name: "whatsapp_id", Account: true, National: true, Evidence: true, normalize: phone, mask: maskPhone})
	for _, contact := range []string{"conversation_id", "call_id", "record_id", "session_id", "case_id", "message_id", "survey_id", "review_id", "ip", "user_agent"} {
		register(Kind{Name: contact})
	}
}

// Of finds a kind by its name or one of its aliases; the result is shared, read-only, and its Name is the registry's. A kind
// outside the registry is an id of some source: evidence, compared exactly, and an account that names somebody if its name ends
// in "_id" or "_number".
func Of(kind string) *Kind {
	if k, ok := kinds[kind]; ok {
		return k
	}
	if name, ok := aliases[kind]; ok {
		return kinds[name]
	}
	declared := strings.HasSuffix(kind, "_id") || strings.HasSuffix(kind, "_number")
	return &Kind{Name: kind, Account: declared, Evidence: true, normalize: opaque, mask: maskToken}
}
