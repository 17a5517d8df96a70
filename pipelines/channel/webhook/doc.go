// Package webhook says how a source's webhooks are verified and read: a signature, and a mapping that makes events of the payload.
//
// Four schemes of signature cover what providers do: Standard Webhooks; an HMAC of the body, with or without a time, in a header of the
// provider's own; the HMAC over address and form values that Twilio signs with; and a shared token. There is no scheme without a secret:
// what anybody may post is no channel.
//
// It is pure: secrets and the present time are given by the caller, and a comparison takes the same time wherever two values differ.
package webhook
