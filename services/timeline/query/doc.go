// Package query reads the timeline from ClickHouse.
//
// Each query is a struct with its SQL and parameters, and a golden file in testdata that shows them. Values travel as parameters,
// never in the text. Every query names the workspace, and the personas or the ids that it is about: the sort key of the events table
// finds their rows without a scan. A query that scans says so.
//
// Reader answers the questions that package graphql asks, one query for any number of people.
//
// It reads rows as they are. The timeline role makes sure that each event is there once, and that a persona's public id names no row
// that an erasure has voided.
package query
