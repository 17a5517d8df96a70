// Package intake reads companies' own Kafka topics: each record becomes events by its source's settings, and enters the log through the
// collector.
//
// Every partition is read from where its source says, without consumer groups: how far it was read is kept each second, after the log has
// acknowledged, beside the process or, where several may take over from each other, in the notes of the lease (Positions). A crash, a
// takeover or lost positions make it read again, which adds nothing, since the id of an event comes from topic, partition and offset, or from
// what the mapping names. Where reading begins is kept before it does, so nothing is passed over.
//
// What cannot be read or mapped goes whole to the dead letters, with its place, and reading goes on. A topic that cannot be reached, or that has
// lost records before they were read, is told of in the log and the figures; the other topics do not wait for it.
//
// The package writes nothing to a company's cluster.
package intake
