// Package identity says who is who: it turns events into evidence, and evidence into a partition of personas into profiles.
//
// # What it guarantees
//
// The partition is a function of the set of events (and of the Rules), never of their order, of duplicates, of batch sizes, or of
// which part was recomputed when. Evidence of one persona (Persona) joins by minima, maxima and unions. A Region is closed: nothing
// outside it bears on who is who inside it. So recomputing the regions of what changed gives what recomputing everything gives.
//
// # The strata
//
// Each stratum is a function of the earlier ones and of its own keys.
//
//   - Stratum 0 makes cores: values that name one person (a verified user id, a CRM id, a network's id), server aliases, and what people
//     decided (links, separations).
//   - Stratum 1 joins cores through shared identifiers, hub by hub in a canonical order, never pair by pair:
//     merge (both sides named, verified contact point, compatible given names), client (a client persona and the server persona of
//     the same user id), support (a known but nameless core that exactly one component claims), attach (an unknown core that
//     exactly one component claims, in rounds), and rest (unknown cores with no claim, among themselves).
//   - A later stratum gets the components of stratum 1 and its own keys, and only ever joins whole components.
//
// A joint is made only if no constraint forbids it. Force, strongest first: separated, linked, unique kinds, limits, evidence.
//
// # The layers
//
// Who is together of the server personas is a function of what server keys say and of what people decided, alone. Whoever has a client
// key can invent any number of personas with another's values, so the strata run twice: over the server personas, then over the client
// personas on top of what stands. Client personas attach to one profile, or to each other, or stay apart. They join and part no two
// server personas, propose no match between two, rename no profile, and make no value generic for server personas; and a
// component that is past Rules.QuarantineSize only with them costs them their place, not the server personas theirs.
//
// A decision is a person's word whatever it names: linked to a client persona, two server personas are one. It counts once the client
// persona was seen, and of that persona nothing else counts in the first layer.
//
// # What it deliberately does not do
//
// It does not tell a client persona that is true from an invented one: past Rules.HubSize client personas with one value, or
// Rules.QuarantineSize in one component, the true ones stay apart too, and come back when the others are erased.
//
// It keeps no trace: Why and How run the same pure function again over the region and listen to it. It never decides by
// arrival, by a clock or at random, and it does no I/O: a Graph gives it what is known.
package identity
