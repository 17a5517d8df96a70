// Package canonical reads JSON strictly and writes it in one form.
//
// Two texts that say the same have one canonical form, so that its hash identifies what was said: UTF-8; the members of an object
// sorted by the bytes of their unescaped keys; no whitespace; minimal escapes; a number by its literal value, without exponent,
// without trailing zeros, at any precision.
//
// The reader refuses what RFC 8259 refuses and, beyond it, everything that two readers could understand in two ways: invalid
// UTF-8, lone surrogates, duplicate keys, and numbers whose plain form has more than 1,000 digits. A NUL written as \u0000 is
// legal and kept. Every refusal names the byte at which it found the fault, counted from 0.
//
// A Doc is an arena: one slice of nodes for the whole text and no map, so that a large hostile text costs a bounded multiple of
// its size (see Limits) and a small one two allocations. Strings that a Node hands out are parts of one copy of the text: they stay
// valid for ever, and keep that whole copy alive while they are referenced. Copy (strings.Clone) what is kept for long.
//
// It deliberately does not unmarshal into Go values.
package canonical
