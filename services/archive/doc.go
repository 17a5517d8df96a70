// Package archive keeps the log for ever: it copies closed ranges of a partition into immutable, compressed files that are named
// after their own digest, lists them in a manifest, and only then lets the log drop them. Readers see archive and log as one
// sequence (package eventlog).
//
// Guarantees
//
//   - The files of a partition cover its offsets from the first on without gap or overlap; the manifest says so line by line.
//   - A range is dropped from the log only after its file has been written, synced, read back, found equal to its digest, and
//     listed in a synced manifest. A crash between any two of these steps costs a file that nobody refers to, at worst.
//   - Keys, values, headers, offsets and record times come back exactly as the log had them.
//   - A torn write, a missing file and an altered byte are found when they are read, and by Verify, and the error names the file.
//
// There is one writer for each partition: Role. A former one that was paused, at whatever step, and goes on changes nothing that its
// successor wrote: what it may still add is the next range of the log, whole, or nothing. It does not open events, and knows nothing of erasure: what is archived stays
// sealed, and an erased person's key is gone. It reads their clear part, for the index by which a reader that wants some types,
// sources, personas or times passes over the segments that hold none (index.go).
//
// Store is where files live: a folder, or S3-compatible storage (s3.go). Open takes a place of either kind. Of a folder:
//
//	TOPIC/GENERATION/PARTITION/manifest.ndjson     one line per segment, appended and synced (manifest.go)
//	TOPIC/GENERATION/PARTITION/manifest.at-BYTES   the line of a place in it, while it is being appended (store.go)
//	TOPIC/GENERATION/PARTITION/DIGEST.segment      one segment (segment.go); DIGEST is the SHA-256 of the file in hexadecimal
//	TOPIC/GENERATION/PARTITION/DIGEST.index        what a segment of events holds (index.go)
package archive
