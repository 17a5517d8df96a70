// Package keeper is the one writer of the key rings. Everything else that Dossier stores can be rebuilt from the log; the rings
// cannot, and the log cannot be read without them.
//
// # Files
//
//	DIR/keys/ring        every workspace's ring, sealed under the ring key            mode 0600
//	DIR/keeper/ring.key  the ring key, sealed under the master key, and a check value  mode 0600
//	DIR/keys/master      the master key, unless DOSSIER_MASTER_KEY or DOSSIER_MASTER_KEY_FILE gives it
//
// The folder DIR/keeper may be a mount of its own: the two files need not share a disk, and should not share a backup. It is not
// DIR/state, which may be deleted at any time.
//
// # What a thief reads
//
//   - The ring file alone: nothing but its size, which tells roughly how many leaves were punched.
//   - ring.key alone: nothing.
//   - The master key alone: nothing of the log. It confirms which ring.key it belongs to, and gives the first pseudonym key of
//     each workspace made under it, by which a full guess of an id's input can be checked.
//   - Ring and ring.key: nothing.
//   - ring.key and master key: the present ring key, which opens the present ring file and no earlier one.
//   - An earlier ring file, with the present ring.key and the master key: nothing. This is what the ring key is for: every write
//     makes a new one, so a forgotten copy of the ring from before an erasure does not bring anyone back, unless a copy of the
//     ring.key of the same moment was kept too.
//   - All three of one moment: every key of every workspace, except those punched or expired before.
//
// The old bytes of both files are overwritten before a punch returns. A file system or a disk that writes elsewhere (copy on
// write, flash) may keep them until it needs the room; then it must have kept both files' old bytes to lose an erased person.
//
// # Writing
//
// A write makes a new ring key and puts both new files beside the old ones (ring.new, ring.key.new), each synced with its
// folder. At this point the write is decided: Open takes the pair with the highest generation that fits together. Then ring.key,
// after it ring, are renamed into place, the old ones aside (.old), and the old bytes overwritten and removed. Wherever this
// stops, the next Open, or the next write of the same process, finds the old pair or the new one and ends the rest.
//
// What takes keys away (punch, expiry) changes memory first, so that a failed write errs towards the erasure; the call reports the
// failure and must be repeated. What gives keys (a new ring, further years) is handed out only once it is durable.
package keeper
