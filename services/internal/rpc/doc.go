// Package rpc carries calls between the roles of one installation that run in different processes: Connect over HTTP/2 and TLS 1.3,
// with certificates on both sides.
//
// Guarantees
//
//   - Nobody is heard or answered whose certificate the installation's own authority did not sign, or whose certificate is not in force.
//     Both are looked at for every connection and again for every call, since connections outlive certificates.
//   - A peer that speaks another version of these calls is refused before anything of the call is read, by an error that says which
//     side to upgrade.
//   - An error keeps its class (schema.ErrorClass), and its code, message and hint, on the way. What never arrived, or whose answer did
//     not, is transient: whoever calls decides whether to repeat it.
//
// Calls and answers are plain Go values in CBOR. A field that is added later is zero at an older peer of the same version; whatever would
// change the meaning of a call raises Version.
//
// What it does not do: it does not know where a role runs (package coordination does), and it does not repeat calls.
package rpc
