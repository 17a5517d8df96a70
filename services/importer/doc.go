// Package importer sends the rows of files as events to a collector, by a mapping.
//
// It streams: a file of any size needs the memory of a few batches, beside the tables that its mapping looks something up in. Rows that
// cannot be read or mapped, and events that the collector refuses, go to FILE.refused.ndjson with row, line, column and the expected
// form; the rest is imported. An import may be repeated: the same file under the same mapping gives the same events, which count
// once. So an import that was interrupted is carried on by starting it again.
//
// Files: open (compression, encoding), csv and rows (formats), lookup (tables), sender (batches over HTTP), refusals.
package importer
