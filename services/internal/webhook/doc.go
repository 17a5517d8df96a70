// Package webhook sends messages to addresses that a configuration names, signed by Standard Webhooks (standardwebhooks.com, version 1.0.0): the headers
// webhook-id, webhook-timestamp and webhook-signature, an HMAC-SHA-256 of "id.timestamp.body" for each secret.
//
// Guarantees. An id is the same in every attempt, so that a receiver can tell a repetition. Nothing is followed: a redirect is a failure. Unless the
// destination allows it, nothing is sent by plain HTTP, and no address is dialled that is not public: what a name resolves to is looked at when it is
// dialled, so no answer of a name server leads inside. No secret, body or path reaches an error.
//
// It keeps no queue: who sends says when to try again (Pause), and remembers what was sent.
package webhook
