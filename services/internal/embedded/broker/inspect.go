package broker

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// DamageError says that the log on disk is not what was written.
type DamageError struct {
	Path     string
	Position int64 // byte in the file
	Reason   string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("the log is damaged: %s at byte %d: %s", e.Path, e.Position, e.Reason)
}

// A record batch on disk, big-endian: base offset int64 · length of what follows int32 · leader epoch int32 · magic int8 (2) ·
// CRC-32C of what follows uint32 · attributes int16 · last offset delta int32 · …
const (
	batchPrefix  = 12 // base offset and length
	batchMagicAt = 16
	batchCRCAt   = 17
	batchBodyAt  = 21
	batchDeltaAt = 23
	batchHeader  = 61
	batchMagic   = 2
	batchSizeCap = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// inspect reads every segment before the engine does, because the engine silently cuts a segment at the first byte that it
// cannot read. The engine's own start reads the same files, so they are in the page cache for it.
func inspect(ctx context.Context, dir string) (Found, error) {
	var found Found
	partitions, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return found, fmt.Errorf("check the log: %w", err)
	}
	for _, p := range partitions {
		if !p.IsDir() {
			continue
		}
		if err := inspectPartition(ctx, filepath.Join(dir, p.Name()), &found); err != nil {
			return found, err
		}
	}
	return found, nil
}

func inspectPartition(ctx context.Context, dir string, found *Found) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("check the log: %w", err)
	}
	var bases []int64
	for _, f := range files {
		name, is := strings.CutSuffix(f.Name(), ".dat")
		base, err := strconv.ParseInt(name, 10, 64)
		if is && err == nil {
			bases = append(bases, base)
		}
	}
	slices.Sort(bases)
	next := int64(-1)
	for i, base := range bases {
		if err := ctx.Err(); err != nil {
			return err
		}
		path := filepath.Join(dir, strconv.FormatInt(base, 10)+".dat")
		b, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("check the log: %w", err)
		}
		found.Segments++
		found.Bytes += int64(len(b))
		if len(b) == 0 {
			continue // rolled, then a crash before the first write
		}
		if next >= 0 && base != next {
			return &DamageError{Path: path, Reason: fmt.Sprintf("a segment is missing before it: it starts at offset %d, the one before ends at %d", base, next)}
		}
		end, torn, err := walk(path, b, base, i == len(bases)-1)
		if err != nil {
			return err
		}
		next = end
		found.Torn += torn
	}
	return inspectEnd(filepath.Join(dir, "snapshot.json"), next)
}

// inspectEnd compares where the log ends with where it ended at the last clean stop. The log only grows, so less is a loss, even if
// it looks like the torn end that a crash leaves.
func inspectEnd(path string, next int64) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("check the log: %w", err)
	}
	var snapshot struct {
		HighWatermark int64 `json:"high_watermark"`
	}
	if err := json.Unmarshal(b, &snapshot); err != nil {
		return &DamageError{Path: path, Reason: err.Error()}
	}
	if snapshot.HighWatermark > max(next, 0) {
		return &DamageError{Path: filepath.Dir(path), Reason: fmt.Sprintf("the log ends at offset %d, it ended at %d before: its end was lost", max(next, 0), snapshot.HighWatermark)}
	}
	return nil
}

// walk goes through the batches of one segment and returns the offset after its last record.
func walk(path string, b []byte, next int64, last bool) (end, torn int64, err error) {
	for at := 0; at < len(b); {
		size, offset, delta, reason := readBatch(b[at:])
		if reason == "" && offset != next {
			return 0, 0, &DamageError{path, int64(at), fmt.Sprintf("a batch starts at offset %d where %d was expected", offset, next)}
		}
		if reason != "" {
			if last && !wholeBatchAfter(b[at:], next) {
				return next, int64(len(b) - at), nil
			}
			return 0, 0, &DamageError{path, int64(at), reason}
		}
		next = offset + int64(delta) + 1
		at += size
	}
	return next, 0, nil
}

// readBatch checks the batch at the start of b. A reason is given if it is not whole.
func readBatch(b []byte) (size int, offset int64, delta int32, reason string) {
	if len(b) < batchHeader {
		return 0, 0, 0, "a batch header is cut off"
	}
	offset = int64(binary.BigEndian.Uint64(b))
	length := int64(binary.BigEndian.Uint32(b[8:]))
	if length > batchSizeCap || batchPrefix+length > int64(len(b)) || batchPrefix+length < batchHeader {
		return 0, 0, 0, "a batch is cut off, or its length is wrong"
	}
	size = int(batchPrefix + length)
	if b[batchMagicAt] != batchMagic {
		return 0, 0, 0, "a batch has an unknown format"
	}
	if crc32.Checksum(b[batchBodyAt:size], castagnoli) != binary.BigEndian.Uint32(b[batchCRCAt:]) {
		return 0, 0, 0, "a batch does not match its checksum"
	}
	return size, offset, int32(binary.BigEndian.Uint32(b[batchDeltaAt:])), ""
}

// wholeBatchAfter looks for a later batch in what cannot be read. A crash tears only the end of a log, so a whole batch behind
// the tear means that the bytes between were changed. The first five bytes of a base offset that is at most 2^24 away tell
// where to look closer.
func wholeBatchAfter(b []byte, next int64) bool {
	var prefix [8]byte
	binary.BigEndian.PutUint64(prefix[:], uint64(next))
	const stable = 5
	for at := 1; at+batchHeader <= len(b); at++ {
		i := bytes.Index(b[at:], prefix[:stable])
		if i < 0 {
			return false
		}
		at += i
		if _, offset, _, reason := readBatch(b[at:]); reason == "" && offset >= next {
			return true
		}
	}
	return false
}
