// Package sql lets data engineers and BI tools read the views of the timeline by SQL, over ClickHouse's HTTP interface.
//
// A request is authenticated by a token with the scopes read and unmask, checked (statement), and passed on to the engine in read-only mode,
// within bounds of time, memory and rows. What is not one of the views, or of the few system tables that describe them, cannot be read:
// not the tables below, nor files, nor other servers. The engine behind needs no users of its own, so the embedded one serves as well.
package sql
