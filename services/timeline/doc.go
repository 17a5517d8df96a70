// Package timeline is the role that writes each event of the log to ClickHouse once.
//
// Guarantees. A plain read of the events table counts every event once and no void one, whatever was sent twice, in whatever order,
// and wherever a process was killed, paused or replaced by another. Of several copies of an event, the first of its log partition is the
// row, which is the one with the smallest RecordedAt. What ClickHouse refuses for ever goes to the dead letters alone, and the others go
// on. When ClickHouse is slow, read-only or gone, a few bounded batches wait; nothing grows, and it resumes by itself.
//
// How. Each log partition has a reader; all of them fill one batch, since an insert costs the engine some 20 ms of processor time however
// few its rows are. A batch goes through these steps; two batches may be under way, declared and marked in the order of the log:
//
//  1. gather: read the log until the batch is full (rows, bytes) or its first record is Linger old (three times that where records come fast);
//  2. choose: drop void events and those that the index of (OccurredAt, event id) knows, or an earlier one of the batch;
//  3. declare the intents that are open: for each batch, from and to of every partition. At this point the intent is durable;
//  4. insert, one block per year bucket, under a deduplication token made from the intent. At this point the rows are visible;
//  5. mark the ids and advance the offsets of all partitions, in one commit to the state store.
//
// A crash between 3 and 5 leaves intents open. The next start reads the same ranges of the log and runs the same steps; the index is
// as it was, so the rows and the tokens are the same. Rows carry their log position, so before an insert is repeated, by a new start or
// after an answer that was lost, the rows of its ranges that are there already are left out. The token covers an insert that is still
// on its way at that moment.
//
// Several processes. The intents lie in the notes of a lease (package coordination): they count only while it is held, and its next owner
// finds them. It first takes the ids and positions of all rows that others have written since its own index was up to date (Follow does
// that while it waits), then repeats what is open, then goes on. A former owner that was paused and goes on can declare nothing more. An
// insert that it had under way lands under the token of the repetition and adds nothing, as long as fewer blocks than the table's
// deduplication window, 10,000, have come between. A server works on an insert for no longer than InsertLimit and two seconds
// (max_execution_time), and gives up a connection on which nothing comes for 30 s (ClickHouse's default), so what a paused process had
// begun to send lands within about 92 s; in that time the new owner's two inserts at a time, of some 20 ms each, are fewer than 9,300. One case
// is not covered: an insert that lands so late, of a batch of which every row of a year was erased in the meantime, brings those rows
// back until the erasures are repeated at the next start.
//
// A lost index is rebuilt from the table (ids, times and positions), then from the log, at most one batch before the newest position of
// each partition, or from where the intents say. Without a lease this needs that no insert of a dead process is still running, which holds
// for the embedded engine: it dies with its parent.
//
// # Faults
//
// Every boundary that this role and the commits of package identity cross, what a fault there leads to, and the test that lets it happen.
// Failed: an error or a crash, nothing done. Applied: an error or a crash, all done. Slow: what was asked is done after the caller's limit
// has passed, or, where it has none, late. Reads have nothing to apply.
//
//	boundary                       failed              applied             slow                  tested by
//	table: identity, index         tried again         –                   tried again           TestFaultAtEveryBoundary
//	table: rows of others          tried again         –                   tried again           TestTakeover
//	log: read                      tried again         –                   waited for            TestFaultAtEveryBoundary
//	log: check                     tried again         –                   waited for            TestFaultWhileRecovering
//	dead letter                    tried again         the same position   waited for            TestFaultAtEveryBoundary
//	declare, in the state store    tried again         repeated at start   waited for            TestFaultAtEveryBoundary
//	declare, in a lease's notes    tried again         counts once         the lease may end     TestTakeover, coordination.TestNeverTwoOwners
//	insert of a block              tried again         Present, token      token                 TestFaultAtEveryBoundary, TestTakeover, TestEngineKilled
//	insert: token without its rows –                   Present, next token –                     TestFaultAtEveryBoundary, TestAnyFaults
//	insert: the rows' own fault    halved, buried      –                   –                     TestEachEventOnce, TestRefusesAll
//	rows that are there (Present)  tried again         –                   tried again           TestFaultWhileRecovering
//	mark, in the state store       the process ends    repeated, all known waited for            TestAnyFaults (what was not synced is lost or kept)
//	erasure: ids, then rows        repeated by caller  repeated            waited for            TestErase
//	index or table lost            rebuilt             –                   –                     TestAnyFaults, TestLostTable, TestUpgrade
//	identity: commit of a fold     folded again        goes on after it    waited for            identity.TestCommitFaults, TestTheSetAloneDecides
//	identity: read of the log      tried again         –                   waited for            identity.TestCommitFaults
//	identity: sinks                told again          told again, by      holds up nothing      identity.TestSinkFaults, TestSinksComeToKnowTheWhole
//	                                                   version
//	identity: erasure              every start repeats repeated            waited for            identity.TestComplaint18_ErasureIsAsIfItHadNeverBeen
//
// It deliberately does not know who is who. Rows belong to personas; which profile a persona belongs to is written beside them by
// PersonaMap, and no row is rewritten for a merge.
package timeline
