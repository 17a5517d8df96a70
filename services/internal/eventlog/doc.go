// Package eventlog shows a topic's archive and its live log as one sequence, and shares one fetch, decode and open of each event
// among the roles of a process.
//
// A Log reads by offset. What it returns from offset n starts at n and has no gap and no overlap, whether it comes from the
// archive, the log, or the archive while the log drops the range at the same moment. Every offset is checked. Records that are in
// neither are an *archive.GapError; a file that is not what was written is an *archive.DamageError that names it; both are fatal.
//
// A Feed sits on a Log and hands out decoded events that are read-only and shared.
//
// A Checkpoint is what a role's store keeps beside its state: where to go on, and the digest of the last record. Check refuses to
// go on in a log that is not the one that was read.
package eventlog
