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
// # What it deliberately does not do
//
// It does not stop a flood: whoever has a client key can invent personas that carry another's e-mail, and past Rules.HubSize or
// Rules.QuarantineSize of them the value, or the component, is given up for all, visibly. What client keys say makes no contact
// point generic by degree, and joins and parts no two known people below these sizes.
//
// It keeps no trace: Why and How run the same pure function again over the region and listen to it. It never decides by
// arrival, by a clock or at random, and it does no I/O: a Graph gives it what is known.
package identity
