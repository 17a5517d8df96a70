// Package seal holds the keys of a workspace and seals what is personal in an event.
//
// A Ring has three things. The pseudonym key makes ids and identifier hashes; it never changes. The puncturable key Tree has
// one leaf for each (persona, epoch) and for each dead letter; a punched leaf can be derived by nobody again, every other leaf
// still can, and a leaf that was never used costs nothing. One independent secret for each (retention class, year) is mixed into
// every event key, so deleting it expires that class and year for everybody. The master key of the installation derives the
// pseudonym key once, at the workspace's creation, and no event key ever.
//
//	event key  = HKDF-SHA-256(salt: secret of (class, year), input: leaf of (persona, epoch), info: "dossier event key v1")
//	letter key = HKDF-SHA-256(salt: none,                    input: leaf of the letter,      info: "dossier letter key v1")
//	leaf index = first 64 bits of PRF("leaf", persona, epoch as uint32 BE), or of PRF("letter", letter id)
//	PRF(parts) = HMAC-SHA-256(pseudonym key, each part after its length as uint32 BE)
//	sealed     = nonce of 12 bytes ‖ AES-256-GCM ciphertext ‖ tag of 16 bytes
//
// Two leaves share an index by accident with a chance of n²/2⁶⁵ for n leaves (1 in 37 million for a million leaves); then an
// erasure of the one makes the other unreadable too. Nothing that was erased becomes readable by it.
//
// The package is pure: randomness comes as an io.Reader, there is no clock and no file; package keeper of the services writes
// the ring down. What is punched, expired or destroyed is overwritten in the memory that this package holds. Copies that the
// runtime made on goroutine stacks, and the expanded keys inside crypto/aes until their memory is used again, are beyond its
// reach: who can read the process's memory at that moment can read keys.
package seal
