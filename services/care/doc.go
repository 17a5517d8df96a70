// Package care is the role that keeps conversations, cases and surveys in ClickHouse as package care of the pipelines folds them.
//
// Guarantees. Once the log is read to its end, the current rows of the three tables are the fold of the set of its events: what came twice,
// in what order, in what batches, and wherever a process was killed, paused or replaced, changes nothing. A row is replaced by a
// higher version, never added to.
//
// How. The state store keeps the contacts in clusters: sets that share a link, or a chain of them (care.Contact.Links). A batch of the log
// adds contacts to clusters, which may make several one. Then, in this order:
//
//  1. every touched cluster is folded anew; of its rows those that changed are sent to ClickHouse, and those that are gone as deleted.
//     At this point they are visible;
//  2. contacts, links, the digests of the rows and the offsets are committed to the state store.
//
// Clusters that go on stay in memory, packed, up to a limit (cluster.go): of a contact of one only what it changes is written, and nothing read. What is in memory
// is what the store has: after a failed batch it is forgotten whole.
//
// After a crash in between the same part of the log is read again, in other batches perhaps. Versions decide which row counts: a rank, which
// every start raises durably before its first insert, above a number that every batch raises. A start may find rows that stood for a moment
// only (a conversation's id is its earliest contact, and an earlier one came with the next batch). So while it reads what a former life
// or owner may have read, it deletes every id of a touched cluster that is no row; after a build from nothing, whatever has a lower rank.
//
// Several processes. The rows are written by the holder of the lease care/WORKSPACE. A rank that was noted in the lease is never used
// again, so what a paused former owner still sends loses against the rows of the next.
//
// Alerts: alerts.go.
//
// # Faults
//
//	boundary                    failed         applied                    slow          tested by
//	tables: identity, rank      tried again    –                          waited for    TestFaultAtEveryBoundary, TestEverythingSlow
//	log: read                   tried again    –                          waited for    TestFaultAtEveryBoundary, TestEverythingSlow
//	rank: note                  tried again, or ends: a rank is skipped   waited for    TestRankNote, TestEverythingSlow
//	insert of a table's rows    tried again    the same rows, a version   given up      TestFaultAtEveryBoundary, TestInsertStuck
//	commit of a batch           ends           read again, deletes ids    waited for    TestFaultAtEveryBoundary (crash after the insert), TestCommitTakenBack
//	erasure: new rows, old rows repeated       repeated                   waited for    TestErase
//	decisions: read, record     tried again    read back, none twice          waited for    TestAlertsThroughFaults
//	webhook                     tried again    tried again, with its id       tried again   TestAlertsAreSent, TestWebhooksSideBySide
//	state lost                  built from the log                                      TestStateLost
//	table lost                  written from the state                                  TestTableLost
package care
