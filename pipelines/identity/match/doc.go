// Package match is stratum 2 of identity: it weighs, for cores that the exact strata left apart, how likely they are one person, and joins whole
// cores into profiles.
//
// # What it guarantees
//
// Who is who is a function of the set of cores and of the model, whatever the order in which cores come, change and go. Weights are whole
// thousandths of a bit, comparisons are symmetric, every choice follows the order of core ids, and a Set decides regions that nothing
// outside bears on: what pairs of at least Thresholds.Floor connect, and where that is more than 512 cores, what pairs of the lowest higher
// floor connect at which it is not. So deciding the regions of what changed gives what deciding everything gives.
//
// # Weights
//
// After I. P. Fellegi and A. B. Sunter (A Theory for Record Linkage, 1969): each field has ordered levels of agreement, each level a chance m
// within one person and a chance u among strangers; the weight is log2 m/u. Where values differ in frequency, u of agreement is the value's
// own frequency, frozen in the model; a value that the model does not list counts as rare. Two changes to the classical model:
//
// Three hypotheses, not two. Members of a household share mailbox, phone, address and family name, so each level has a third chance: within a
// household. The odds of one person are 1 / (1/against strangers + 1/against household): a shared mailbox cannot outvote a name.
//
// Profiles, not pairs. A field of two profiles adds log2 of the mean, over all pairs of their records' values, of 2^weight: what one record of ten
// says counts a tenth, so large profiles do not attract by their best pair.
//
// # Partition
//
// Within a region, profiles merge along the strongest pairs first wherever the whole profiles reach Thresholds.Merge and no value forbids it;
// then small profiles join the one that they fit best (Thresholds.Link), if it beats every other by Thresholds.Margin. A profile that comes
// as near to two that are not plausibly one person joins neither: both are possible matches. No profile grows past Thresholds.Largest.
//
// # Blocking
//
// Model.Blocking lists recipes of keys: parts joined by +, and after a / the number of cores above which a key proposes nothing (else
// Model.BlockSize). Parts: given, family (with .sound, .letters, .prefix), email, mailbox, mailbox.letters, mailbox.prefix, mail.domain, phone,
// phone.head, phone.tail, birth, year, month, birthday, town, town.code, door, outward, and the fields card, user_id, cookie, handle,
// national_id, place, occupation, gender, street, number, postcode, commune, state.
//
// # What it deliberately does not do
//
// It learns nothing while it decides: frequencies, levels and prior are the model's. It joins no two profiles that are both large by a
// chain of weak pairs. It knows no clock, no randomness and does no I/O.
package match
