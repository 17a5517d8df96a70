// Package chdb is the embedded ClickHouse engine: a supervised child process that loads libchdb, opens one data folder and
// serves ClickHouse's own HTTP interface on loopback. The product speaks only that interface, so a real server replaces the
// child by configuration.
//
// The package has two halves that meet at an inherited listening socket:
//
//   - Start (supervisor.go) runs in the product's process. It owns the listener, starts the child, restarts it with back-off
//     when it dies, and never leaves it behind. The address and the password stay the same across restarts; requests that
//     arrive while the child is away wait in the socket's queue.
//   - ServeChild (child.go) is the child: the same binary in a hidden role. It binds the C library (capi.go), pools engine
//     connections (pool.go) and answers HTTP (front.go and its neighbours).
//
// Guarantees: a 200 to an INSERT means that the engine has the rows on disk, synced; a repeated insert_deduplication_token
// inserts nothing; a child never outlives its parent, however the parent dies; errors carry the engine's code and text.
//
// What it deliberately does not do: users, quotas and query logs (the engine has no writable storage for them), TLS
// (loopback only), and several data folders in one process (the library allows one).
package chdb
