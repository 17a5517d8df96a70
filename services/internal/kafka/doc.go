// Package kafka is the one package that knows the Kafka client. It offers what the house needs of a log and nothing else:
// topics, offsets, fetch by offset, produce with acks=all, a batcher for the collector, and the removal of archived ranges.
//
// kafka-go carries connections, metadata, routing to leaders, TLS and negotiation. The three requests that carry the load
// (Produce, Fetch, DeleteRecords) are encoded and decoded here, through kafka-go's own hook for messages that speak for
// themselves: a record batch is written once, in place, and a fetched record is a slice of the response. That also gives what
// kafka-go's calls lack: DeleteRecords, control of the record's time, exact errors per partition.
//
// There is no idempotent producer and no transaction: a retry may write a record twice. Readers fold an event once by its id.
// Consumer groups are not used either: roles own partitions by lease and keep offsets in their own stores.
//
// Files: client (connections, offsets), security (TLS, SASL), reach (why no broker is reached), router (whose layout is followed), topics, exchange (one request on a connection), recordbatch (format version 2),
// produce, fetch, batcher and its queue (one partition), partition (Java's murmur2), class (errors into three classes).
package kafka
