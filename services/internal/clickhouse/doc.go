// Package clickhouse speaks to a ClickHouse server, or to the embedded engine, which is the same thing to it: ClickHouse's
// HTTP protocol. It alone knows the driver; other packages see Conn, Rows, Batch and classed errors.
//
// Guarantees: an Insert that returned nil is stored; the same token stores it once; every error carries a schema.ErrorClass;
// no error carries a value that a caller sent (classify.go says what it keeps).
//
// It deliberately does not retry an Insert: when to try again, and for how long, is the caller's decision. Reads, which
// change nothing, are sent again once a kept connection turns out dead, so that they survive a restart of the engine.
package clickhouse
