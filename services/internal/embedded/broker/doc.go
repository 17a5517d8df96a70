// Package broker is the embedded log: a Kafka broker in this process, on disk, that speaks Kafka's protocol on loopback. The
// engine is kfake; this package is the guard rails around it, so that every other package sees an ordinary broker at an address.
//
// Guarantees
//
//   - One process owns a data folder (flock); a second one gets ErrInUse.
//   - With SyncWrites an acknowledged batch has been fsynced, segment and index.
//   - Topics exist only because they were declared: auto-creation is off, none is compacted, none has a retention by time or size.
//   - A start refuses a folder whose log is not the one it was: another cluster or topic id, a segment with a damaged batch, a
//     missing segment. The error names the file and the position. Only the torn end of the last segment is accepted, since a
//     crash leaves exactly that and it was never acknowledged; it is logged and counted.
//   - DeleteRecords never removes the last record of a partition. The engine derives the next offset from what is on disk, so
//     an empty partition would start at offset 0 again after a crash and hand out offsets twice.
//
// What it does not do: replicas, users, quotas, transactions across a crash. fsync errors are not reported by the engine; a
// failed write is (the producer gets an error). After a crash the engine reads the whole log, so the archive role must keep it
// small. DeleteRecords' effect below segment granularity is forgotten by a crash; the archive role drops again at its start.
//
// The folder:
//
//	lock             flock of the owning process
//	broker.json      {"version":1,"cluster":ID,"topics":{NAME:{"id":ID,"partitions":N}}}, written before a topic is used
//	log/             the engine's files; log/partitions/TOPIC-N/BASE.dat are Kafka record batches (format version 2) end to end
package broker
