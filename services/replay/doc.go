// Package replay gives events back: what the log accepted, as lines of NDJSON, as CloudEvents or as Parquet, to a stream, a file or a topic.
//
// # What it guarantees
//
// Events come once each, sorted by (OccurredAt, id), so those of one persona are in their order, and the same set of events gives the same bytes whatever
// the order of their arrival. A run is bound to the end that the log had at its beginning (End): carried on behind a Cursor, it gives what one run
// without a break would have given, though others have written meanwhile. What was erased is not given back, also when it was erased during a break.
// A file or folder gets its name when it is whole. A topic is written at least once: after a crash some of the last events may stand in it
// twice, with the same id.
//
// Without Encoder.Personal only the clear part of an event is given: id, persona, source, type, channel, actor and times.
//
// # What it deliberately does not do
//
// It reads no log and asks for no rights: the installation opens the events, and the management path asks for the scope and records who asked.
package replay
