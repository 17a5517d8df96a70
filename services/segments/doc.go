// Package segments is the role that keeps the table of people, and says of each person, as events come, which segments they enter and leave.
//
// Guarantees. Membership is what pipelines/segment makes of the set of events, of who is who, and of the present: what came twice, in what
// order, in what batches, and wherever a process was killed or replaced, changes nothing of who is in. A change is decided once: it is a record
// of the topic decisions with its cause, never read back as an event, and neither a restart nor a rebuilt state decides it again.
//
// How. Readers follow the log and the change feed of who is who. What concerns the live segments is kept as facts, a row under (persona, time,
// id), so what is sent again is the same row; and every persona that may be concerned is marked. A marked persona is weighed: identity says whose
// it is and what is known of the person, the facts of all their personas are read, every live segment is evaluated, and what differs from before is
// a change. When time alone may change an answer, the person is marked again at that time. In this order:
//
//  1. facts, marks and offsets are committed to the state store together;
//  2. of the marked, changed rows of people are sent to ClickHouse;
//  3. memberships, times, changes on their way, and the marks that are done are committed together. At this point it is decided;
//  4. the changes are appended to the topic decisions, then to the history in ClickHouse, then taken off the way.
//
// After a crash between 2 and 3 the table has rows that the state does not know of: their versions are above its own, and those people are weighed again. After one between 3
// and 4 the changes that are still on the way are looked for in the topic before they are sent. What another owner decided meanwhile is taken over from there. A state that was lost is
// built from the log, with the memberships as the topic has them. While the log is read to where it ended at the start, and while the facts of
// a new segment are gathered from the log's beginning, nobody is weighed: half of somebody's events would decide wrongly.
//
// What it deliberately does not do: it sends nothing to anybody. Package destinations does, by what is decided here.
//
// # Faults
//
//	boundary                       failed         applied                    slow         tested by
//	tables: identity, newest       tried again    –                          waited for   TestFaultAtEveryBoundary
//	log, topics, who is who: read  tried again    –                          waited for   TestFaultAtEveryBoundary
//	commit of facts and marks      ends           read again, same rows      waited for   TestAnyFaults (crashes that lose what is not synced)
//	insert of rows of people       tried again    found by its version       waited for   TestFaultAtEveryBoundary, TestAnyFaults
//	commit of what is decided      ends           weighed again              waited for   TestAnyFaults
//	append to decisions            tried again    looked for in the topic    waited for   TestFaultAtEveryBoundary, TestStream (lost answers)
//	history in ClickHouse          tried again    replaced under its id      waited for   TestFaultAtEveryBoundary
//	state lost                     memberships read from the topic                        TestStream (lost states)
//	another owner meanwhile        memberships and rows of people taken over              TestTurns
//	erasure                        repeated       repeated                   waited for   TestEraseThroughFaults
package segments
