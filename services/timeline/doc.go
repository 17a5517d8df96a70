// Package timeline is the role that writes each event of the log to ClickHouse once.
//
// Guarantees. A plain read of the events table counts every event once and no void one, whatever was sent twice, in whatever order,
// and wherever a process was killed. Of several copies of an event, the first of its log partition is the row, which is the one with
// the smallest RecordedAt. What ClickHouse refuses for ever goes to the dead letters alone, and its partition goes on. When ClickHouse
// is slow, read-only or gone, each partition keeps one bounded batch and tries again; nothing grows, and it resumes by itself.
//
// How. Each log partition is one loop, in this order:
//
//  1. collect: read the log until the batch is full (rows, bytes) or its first row is Linger old (three times that where records come fast);
//  2. choose: drop void events and those that the index of (OccurredAt, event id) knows, or an earlier one of the batch;
//  3. declare the intent (generation, partition, from, to). At this point the intent is durable;
//  4. insert, one block per year bucket, under a deduplication token made from the intent. At this point the rows are visible;
//  5. mark the ids and advance the offset, in one commit to the state store.
//
// A crash between 3 and 5 leaves the intent open. The next start reads the same range of the log and runs the same steps; the index is
// as it was, so the rows and the tokens are the same. Rows carry their log position, so before an insert is repeated, by a new start or
// after an answer that was lost, the rows of its range that are there already are left out. The token covers an insert that is still
// on its way at that moment.
//
// A lost index is rebuilt from the table (ids, times and positions), then from the log, at most one batch before the newest position of
// each partition. This needs that no insert of a dead process is still running, which holds for the embedded engine: it dies with its
// parent.
//
// It deliberately does not know who is who. Rows belong to personas; which profile a persona belongs to is written beside them by
// PersonaMap, and no row is rewritten for a merge.
package timeline
