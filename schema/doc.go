// Package schema is Dossier's contract: the event and what every part of the house may assume of it.
//
// It holds types, enumerations, identifiers, topic declarations and ClickHouse migrations as data. Its sub-packages hold the
// canonical form of JSON (canonical), id derivation (ids), keys and sealing (seal), and the wire form (envelope).
//
// It does no I/O, reads no clock and logs nothing.
package schema
