// Package destinations sends what is decided to where the configuration says: audiences of segments, alerts, and the feed of merges and splits.
//
// Guarantees. A message has the same id in every attempt, and is sent at least once. Messages about one person go to a destination one after the other, in the order of the
// decisions; whoever is taken out goes before everybody else, and what was still to be sent of that person and segment is not sent any more. Nothing of a person leaves
// unless package destination allows it at the moment of sending, by what identity knows then. Each destination has a line and a pace of its own: a slow one
// slows nobody else. What it cannot be sent is tried again, ever more seldom, and is a dead letter after the last time, which can be tried again by hand. Each message
// ends with a receipt in the topic decisions, but for those of who left before they were sent.
//
// How. One reader follows the topics decisions and profiles and puts what each destination takes into its line, in the state store, with its position in one
// commit. A lane a destination takes from the line what is due, asks identity, sends, appends receipts, and takes it off the line. In this order, so after a crash a message may
// come again under its id. A state that was lost is built from the topics: receipts say what was sent. While the topics are read to where they ended at the start,
// nothing is sent.
//
// It shares the store of the role segments, whose erasures and purges reach what waits here: entries hold ids only; who a person is, is asked for when it is sent.
//
// # Faults
//
//	boundary                      failed         applied                     tested by
//	commit of line and position   ends           read again, same entries    TestDestinations (restarts)
//	ask identity                  tried again    –                           TestDestinations (identity away)
//	request to the destination    tried again    sent again, same id         TestFailing, TestDestinations (lost answers)
//	append of receipts            tried again    once more, says the same    TestDestinations (lost answers)
//	commit of what is sent        ends           receipts are read           TestDestinations (restarts, lost states)
package destinations
