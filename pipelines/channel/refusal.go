package channel

import (
	"fmt"

	"github.com/dossier-cdp/dossier/schema"
)

// The codes of refusals that mappers and the collector give. They are stable: senders and tests rely on them. deploy/events.md
// lists them with what to do; a test holds that table and this one together.
const (
	CodeNotJSON           = "not_json"            // the bytes are not JSON: the position says where
	CodeInvalidUTF8       = "invalid_utf8"        // a string is not UTF-8
	CodeLoneSurrogate     = "lone_surrogate"      // a \u escape that is half of a pair
	CodeDuplicateKey      = "duplicate_key"       // an object names one member twice
	CodeTooDeep           = "too_deep"            // nested deeper than the limit
	CodeNumberTooLong     = "number_too_long"     // a number of more than 1,000 digits
	CodeTooManyProperties = "too_many_properties" // more members than the limit
	CodeEventTooLarge     = "event_too_large"     // more bytes than the limit
	CodeNotAnObject       = "not_an_object"       // an event that is not a JSON object
	CodeTypeUnknown       = "type_unknown"        // no such type
	CodeTypeMissing       = "type_missing"        // no type at all
	CodeNoIdentity        = "no_identity"         // neither user nor anonymous id
	CodeNoEventName       = "no_event_name"       // a track call without event
	CodeNoPreviousID      = "no_previous_id"      // an alias call without previousId
	CodeNoGroupID         = "no_group_id"         // a group call without groupId
	CodeMessageIDTooLong  = "message_id_too_long" // longer than the limit
	CodeTimeInvalid       = "time_invalid"        // a time that cannot be read
	CodeTimeInFuture      = "time_in_future"      // more than 24 h ahead of receipt
	CodeFieldInvalid      = "field_invalid"       // a member of the wrong kind or form
	CodeFieldUnknown      = "field_unknown"       // a member that native events do not have
	CodeIdentifierInvalid = "identifier_invalid"  // kind or value of an identifier out of form
	CodeReservedProperty  = "reserved_property"   // a property named $context or $event
	CodeNotForClientKey   = "not_allowed_for_client_key"
	CodeScopeMissing      = "scope_missing"      // the token lacks the scope, or a write key does what only tokens may
	CodeAssertionInvalid  = "assertion_invalid"  // a link, separation or release that names nothing usable
	CodeConsentInvalid    = "consent_invalid"    // a consent without purpose, channel, state or proof
	CodeCorrectionInvalid = "correction_invalid" // a correction of what was read in a text that says nothing usable
	CodeErased            = "erased"             // occurred before the person was erased
	CodeSuppressed        = "suppressed"         // of somebody of whom nothing more is to be kept
	CodeRetentionExpired  = "retention_expired"  // its retention class and year are expired or not kept
	CodeRetentionUnknown  = "retention_unknown"  // no key for its retention class and year
	CodeRecordInvalid     = "record_invalid"     // a record of a company's topic whose bytes are none of its format
	CodeSchemaUnknown     = "schema_unknown"     // a record that names a schema which its source does not have
)

// Codes lists every code that a mapper or the collector may give for one event.
func Codes() []string {
	return []string{
		CodeNotJSON, CodeInvalidUTF8, CodeLoneSurrogate, CodeDuplicateKey, CodeTooDeep, CodeNumberTooLong, CodeTooManyProperties, CodeEventTooLarge,
		CodeNotAnObject, CodeTypeUnknown, CodeTypeMissing, CodeNoIdentity, CodeNoEventName, CodeNoPreviousID, CodeNoGroupID,
		CodeMessageIDTooLong, CodeTimeInvalid, CodeTimeInFuture, CodeFieldInvalid, CodeFieldUnknown, CodeIdentifierInvalid,
		CodeReservedProperty, CodeNotForClientKey, CodeScopeMissing, CodeAssertionInvalid, CodeConsentInvalid, CodeCorrectionInvalid, CodeErased, CodeSuppressed,
		CodeRetentionExpired, CodeRetentionUnknown, CodeRecordInvalid, CodeSchemaUnknown,
	}
}

// Forbidden says whether a code means that the sender was not allowed to, rather than that the event was wrong. Such events are
// stored nowhere, not even as dead letters: repairing them is not ours to offer.
func Forbidden(code string) bool { return code == CodeNotForClientKey || code == CodeScopeMissing }

// Unwanted says whether a code means that nothing of the event may be kept, since it is about somebody who was erased or is suppressed, or of a class and
// year that are kept no longer.
func Unwanted(code string) bool {
	return code == CodeErased || code == CodeSuppressed || code == CodeRetentionExpired
}

// NoIdentity refuses an event that names nobody.
func NoIdentity() *schema.Refusal {
	return schema.Refuse(CodeNoIdentity, "neither userId nor anonymousId is given", "send one of them as a non-empty string of at most 512 bytes")
}

// FieldInvalid refuses a member that has another form than want says. It never repeats the value.
func FieldInvalid(field, want string) *schema.Refusal {
	return schema.Refuse(CodeFieldInvalid, fmt.Sprintf("%s is not %s", field, want), "correct it, or leave it out")
}

// NotForClientKey refuses what a public key may not do.
func NotForClientKey(what string) *schema.Refusal {
	return schema.Refuse(CodeNotForClientKey, "a client key is public and may not send "+what, "send it from a server with the source's server key")
}

// ScopeMissing refuses what needs a token's scope.
func ScopeMissing(what, scope string) *schema.Refusal {
	return schema.Refuse(CodeScopeMissing, fmt.Sprintf("%s needs a token with scope %s", what, scope),
		fmt.Sprintf("send it with Authorization: Bearer and a token that has %s", scope))
}
