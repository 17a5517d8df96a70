// Package coordination says which process does what: leases, presence, and the notes of a lease's owner, all in the topic
// coordination (one partition) of the log that everything stands on anyway. It needs no other service.
//
// Guarantees
//
//   - At no instant do two processes both trust the same lease, whatever is paused, lost, late or written twice, as long as clocks that
//     measure durations do not differ by more than a tenth. Clocks that tell the time of day are not used.
//   - Of the records under a lease (notes) only those of its current epoch count, in the order of the log. So a former owner that was
//     paused and goes on changes nothing, even if it has not noticed yet.
//   - When the log works, a lease whose owner is gone has another one within a lease time and the time of two writes, if anybody asks for it.
//
// How. Every process reads the topic and folds it alike. A claim names the last record of the lease that its writer has read, and counts
// only if that is still the last: of two claims the first in the log wins, and none that was written before a renewal was read. The
// offset of a claim that counts is the lease's epoch. Whoever wants a lease that is held waits one lease time after it has read the
// owner's last sign of life, by its own clock, before it claims. The owner trusts its lease for nine tenths of a lease time, counted from
// the moment before it began to write its last sign of life, and only once it has read that sign in the log under its own epoch. The
// owner's time begins before the others' and is shorter, so it ends before theirs.
//
// A sign of life is one record for all leases and roles of a process, five in a lease time. A write whose answer was lost is never
// repeated as such: the next sign of life, or the next claim, takes its place, and what arrives late counts for nothing or for less.
//
// The topic stays small: every few thousand records some process writes what they amount to and deletes them. A reader that finds the
// topic cut off starts from the first such summary.
//
// What it does not do: it does not keep a process from acting that believes itself owner without asking. Whatever acts under a lease
// ends with Lease.Context, and what it leaves behind must be harmless under an older epoch; package timeline shows how.
package coordination
