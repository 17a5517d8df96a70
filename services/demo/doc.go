// Package demo makes the demo workspace: Maison Garance, a believable French and British retailer with two thousand customers,
// twelve channels and eighteen months, from 1 May 2025 to 31 October 2026.
//
// Generate is a pure function of its seed: no clock, no map order, the same bytes at every call. It knows the truth, which person
// stands behind which account, so that tests can hold identity against it. Load sends what Generate makes through the public HTTP
// API as any company would. Every event has a message id and states its time, so loading twice adds nothing.
//
// Nobody in it exists. Telephone numbers come from the ranges that ARCEP, Ofcom and the NANPA keep free for fiction, and e-mail
// addresses from the reserved domain .example.
package demo
