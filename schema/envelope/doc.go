// Package envelope is the wire form of an event: what lies in the log as the value of a Kafka record.
//
//	value  = Envelope{clear: bytes of Clear, sealed: bytes}          Protocol Buffers, see event.proto
//	sealed = nonce ‖ AES-256-GCM(event key, additional data: bytes of Clear as they are in the value)
//	plain  = Sealed, compressed with the dictionary that Clear.dictionary names
//
// The codec is written by hand over protowire, without generated code: it reads into the types of package schema directly,
// keeps every unknown field (also of nested messages) where it came from, and makes one allocation for all strings of an
// event. A test holds it to event.proto, through a generic Protocol Buffers implementation, in both directions.
//
// The bytes are a function of the event, the key and the nonce: fields in ascending order, zero fields absent, unknown fields last.
//
// # Versions
//
// A value of version 1 stays readable for ever; the golden samples in testdata are read by every later version of this code.
//
// A version 2 keeps every number of event.proto with its meaning and its type, and adds numbers. As long as a reader of
// version 1 that ignores the new fields still does the right thing, the version stays 1, and that reader hands the fields on
// as it got them. Clear.version becomes 2 only for those events that a reader of version 1 would misunderstand; it refuses
// them (CodeVersion), they wait as dead letters, and are replayed after the upgrade. Readers are upgraded before writers. A new
// field that must be readable without the key goes into Clear, every other one into Sealed; Envelope itself never gets one, because
// what stands beside Clear is not authenticated.
//
// A new dictionary is dictionaries/2.dict, embedded beside 1.dict, which stays for ever: Clear.dictionary says which one
// an event needs. Again, readers get it before writers use it.
package envelope
