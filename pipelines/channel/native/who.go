package native

import (
	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/identifier"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// who reads the identifiers: userId, anonymousId, and the list, which is an array of objects or an object of kind → value(s).
func (v *event) who() {
	assurance := v.sender().Assurance()
	user, r := channel.Scalar(v.item.Get("userId"), "userId")
	v.refuse(r)
	v.refuse(v.m.AddIdentifier(v.source.UserKind(), user, assurance))
	anonymous, r := channel.Scalar(v.item.Get("anonymousId"), "anonymousId")
	v.refuse(r)
	v.refuse(v.m.AddIdentifier("anonymous_id", anonymous, assurance))
	list := v.item.Get("identifiers")
	switch list.Kind() {
	case canonical.Absent, canonical.Null:
	case canonical.Array:
		list.Each(func(_ string, n canonical.Node) bool {
			v.identifier(n, assurance)
			return v.refusal == nil
		})
	case canonical.Object:
		list.Each(func(kind string, n canonical.Node) bool {
			if n.Kind() != canonical.Array {
				v.value(kind, n, assurance)
				return v.refusal == nil
			}
			n.Each(func(_ string, one canonical.Node) bool {
				v.value(kind, one, assurance)
				return v.refusal == nil
			})
			return v.refusal == nil
		})
	default:
		v.refuse(channel.FieldInvalid("identifiers", "an array of {kind, value}, or an object of kind and value"))
	}
}

func (v *event) value(kind string, n canonical.Node, assurance schema.Assurance) {
	value, r := channel.Scalar(n, "an identifier's value")
	v.refuse(r)
	v.refuse(v.m.AddIdentifier(kind, value, assurance))
}

// identifier reads {kind, value, assurance, supersededBy}.
func (v *event) identifier(n canonical.Node, assurance schema.Assurance) {
	if n.Kind() != canonical.Object {
		v.refuse(channel.FieldInvalid("identifiers", "an array of {kind, value}, or an object of kind and value"))
		return
	}
	if word := channel.LooseText(n.Get("assurance")); word != "" {
		stated, known := schema.ParseAssurance(word)
		switch {
		case !known:
			v.refuse(channel.FieldInvalid("assurance", "inferred, declared or verified"))
		case v.s.Trust != schema.TrustServer && stated > schema.AssuranceDeclared:
			v.refuse(channel.NotForClientKey("verified identifiers"))
		}
		assurance = stated
	}
	kind := channel.LooseText(n.Get("kind"))
	before := len(v.m.Event.Identifiers)
	v.value(kind, n.Get("value"), assurance)
	replaced, r := channel.Scalar(n.Get("supersededBy"), "supersededBy")
	v.refuse(r)
	if replaced == "" || v.refusal != nil || len(v.m.Event.Identifiers) == before {
		return
	}
	if v.s.Trust != schema.TrustServer {
		v.refuse(channel.NotForClientKey("supersededBy"))
		return
	}
	v.refuse(channel.CheckIdentifier(kind, replaced))
	v.m.Event.Identifiers[before].SupersededBy = replaced
}

// account reads the account, or chooses it. It comes last, since an assertion and a conversation may stand for it.
func (v *event) account() {
	if v.refusal != nil {
		return
	}
	e := &v.m.Event
	n := v.item.Get("account")
	switch n.Kind() {
	case canonical.Absent, canonical.Null:
		if v.m.About == (schema.PersonaEpoch{}) && e.Account.Kind == "" {
			v.m.ChooseAccount(v.source)
		}
		return
	case canonical.Object:
	default:
		v.refuse(channel.FieldInvalid("account", "an object of kind and value"))
		return
	}
	kind := channel.LooseText(n.Get("kind"))
	value, r := channel.Scalar(n.Get("value"), "account.value")
	v.refuse(r)
	switch {
	case v.refusal != nil:
	case e.Assertion != nil:
		v.refuse(channel.FieldInvalid("account", "left out of an assertion, which names its personas"))
	case value == "":
		v.refuse(channel.FieldInvalid("account", "an object of kind and value"))
	case channel.Shared(kind):
		v.refuse(schema.Refuse(channel.CodeFieldInvalid, "an account of kind "+kind+": several people may share it", "send it under identifiers, and as account what the source itself calls the customer"))
	default:
		if v.refuse(channel.CheckIdentifier(kind, value)); v.refusal != nil {
			return
		}
		e.Account = schema.Account{Kind: kind, Value: value}
		// A conversation, a call or a record names a contact and no customer: it is no identifier.
		if identifier.Of(kind).Evidence {
			v.refuse(v.m.AddIdentifier(kind, value, v.sender().Assurance()))
		}
	}
}
