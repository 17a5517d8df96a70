// Package backup copies everything irreplaceable but the key ring out of a running installation, and brings it back: every record of
// every archived topic (events, control, dead letters, profiles, decisions) up to one moment, whether it is archived yet or not.
// Workspaces, keys and tokens (as hashes), configuration and erasures are records of the control topic, so they are in it.
//
// # Guarantees
//
//   - What was acknowledged before the backup began is in it. What comes meanwhile may be in it or not; each partition is whole up to
//     the end that the backup states, and the control topic's end is taken last, so whatever the events stand on is there.
//   - A backup is there whole or not at all: backup.json names everything with its digest and is written last. Until then the backup
//     that was in the folder before is the one that counts.
//   - A second backup into the same folder copies only what is new.
//   - Copy, Check and Restore verify every record of every file that they take, and name the one that is wrong.
//
// # The folder
//
//	backup.json                                             what the backup is: Manifest
//	archive/TOPIC/GENERATION/PARTITION/DIGEST.segment       records, in the archive's own form
//	archive/TOPIC/GENERATION/PARTITION/DIGEST.manifest      their manifest; DIGEST is the SHA-256 of the file
//
// # What it deliberately leaves out
//
// The key ring, without which nothing of it can be read, has registered copies of its own (dossier ring copy): with both in one place
// a thief of the backup could read everybody, and an erasure would have to reach every old backup. ClickHouse and the roles' state are
// rebuilt from the log. The topic coordination is only about processes that run.
package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/archive"
)

// Format is the version of the folder's form that this program writes; it reads this and all before.
const Format = 1

const manifestFile = "backup.json"

// Manifest is backup.json: what a backup holds.
type Manifest struct {
	Format int `json:"format"`
	// Installation is the digest of the first record of the control topic, which an installation keeps through every restore.
	Installation string `json:"installation"`
	Made         string `json:"made"` // when its ends were taken; RFC 3339
	Parts        []Part `json:"parts"`
}

// Part is what a backup holds of one partition of one generation: its records from the first on.
type Part struct {
	Topic      string `json:"topic"`
	Generation uint32 `json:"generation"`
	Partition  int32  `json:"partition"`
	Records    int64  `json:"records"`
	Segments   int    `json:"segments"`
	Bytes      int64  `json:"bytes"` // of the segment files
	Manifest   string `json:"manifest,omitempty"`
}

func (p *Part) archived() archive.Part {
	return archive.Part{Topic: p.Topic, Generation: p.Generation, Partition: p.Partition}
}

// Records is how many records the backup holds of a topic; of all if topic is empty.
func (m *Manifest) Records(topic string) (n int64) {
	for i := range m.Parts {
		if topic == "" || m.Parts[i].Topic == topic {
			n += m.Parts[i].Records
		}
	}
	return n
}

// Folder is a backup on disk.
type Folder struct {
	Manifest Manifest
	dir      string
	files    *archive.Folder
}

// Open reads what a folder holds, without its files. A folder without a backup is fs.ErrNotExist.
func Open(dir string) (*Folder, error) {
	path := filepath.Join(dir, manifestFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no backup: %w", dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("read the backup: %w", err)
	}
	f := &Folder{dir: dir}
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(b, &version); err != nil || version.Format < 1 {
		return nil, fmt.Errorf("%s is not the JSON that 'dossier backup' wrote", path)
	}
	if version.Format > Format {
		return nil, fmt.Errorf("%s has format %d, this program knows %d: use a newer dossier", path, version.Format, Format)
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f.Manifest); err != nil {
		return nil, fmt.Errorf("%s is not the JSON that 'dossier backup' wrote: %w", path, err)
	}
	for i := range f.Manifest.Parts {
		// The names become paths of files.
		if p := &f.Manifest.Parts[i]; !Topic(p.Topic) || p.Partition < 0 || strings.ContainsAny(p.Manifest, "/\\.") {
			return nil, fmt.Errorf("%s names %q, partition %d: it is not the JSON that 'dossier backup' wrote", path, p.Topic, p.Partition)
		}
	}
	if f.files, err = archive.OpenFolder(filepath.Join(dir, "archive")); err != nil {
		return nil, err
	}
	return f, nil
}

// entries reads a part's manifest and checks it against backup.json.
func (f *Folder) entries(ctx context.Context, p *Part) ([]archive.Entry, error) {
	if p.Records == 0 {
		return nil, nil
	}
	name := p.Manifest + ".manifest"
	path := f.files.Locate(p.archived(), name)
	text, err := f.files.Get(ctx, p.archived(), name)
	if err != nil {
		return nil, fmt.Errorf("the backup lacks a file: %w", err)
	}
	if digest(text) != p.Manifest {
		return nil, fmt.Errorf("%s was altered", path)
	}
	entries, err := archive.ParseManifest(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if n := len(entries); n == 0 || entries[0].From != 0 || entries[n-1].Next != p.Records {
		return nil, fmt.Errorf("%s does not hold the %d records that the backup states", path, p.Records)
	}
	return entries, nil
}

// segment reads and verifies one file.
func (f *Folder) segment(ctx context.Context, p *Part, e *archive.Entry) ([]byte, *archive.Segment, error) {
	path := f.files.Locate(p.archived(), e.Name())
	file, err := f.files.Get(ctx, p.archived(), e.Name())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("the backup lacks a file: %s is missing", path)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the backup: %w", err)
	}
	s, err := archive.CheckEntry(p.archived(), e, file)
	if err != nil {
		return nil, nil, fmt.Errorf("backup file %s: %w", path, err)
	}
	return file, s, nil
}

// Check reads every record of the backup. The error joins everything that is wrong, each part of it naming a file.
func (f *Folder) Check(ctx context.Context) error {
	var wrong []error
	for i := range f.Manifest.Parts {
		p := &f.Manifest.Parts[i]
		entries, err := f.entries(ctx, p)
		if err != nil {
			wrong = append(wrong, err)
		}
		for n := range entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			if _, _, err := f.segment(ctx, p, &entries[n]); err != nil {
				wrong = append(wrong, err)
			}
		}
	}
	return errors.Join(wrong...)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// write makes the manifest the folder's, durably: everything that it names must be durable.
func (m *Manifest) write(dir string) (err error) {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the backup's manifest: %w", err)
	}
	path := filepath.Join(dir, manifestFile)
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = file.Write(append(b, '\n'))
		if err == nil {
			err = file.Sync()
		}
		err = errors.Join(err, file.Close())
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = syncFolder(dir)
	}
	if err != nil {
		return fmt.Errorf("write the backup's manifest: %w", err)
	}
	return nil
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// sweep removes the files of earlier backups that this one does not name any more: segments of what was not archived then.
func (f *Folder) sweep(ctx context.Context) error {
	named := map[string]bool{}
	for i := range f.Manifest.Parts {
		p := &f.Manifest.Parts[i]
		entries, err := f.entries(ctx, p)
		if err != nil {
			return err
		}
		named[f.files.Locate(p.archived(), p.Manifest+".manifest")] = true
		for n := range entries {
			named[f.files.Locate(p.archived(), entries[n].Name())] = true
		}
	}
	return filepath.WalkDir(filepath.Join(f.dir, "archive"), func(path string, entry fs.DirEntry, err error) error {
		ours := strings.HasSuffix(path, ".segment") || strings.HasSuffix(path, ".manifest") || strings.HasSuffix(path, ".new")
		if err != nil || entry.IsDir() || !ours || named[path] {
			return err
		}
		return os.Remove(path)
	})
}

var errNoControl = schema.Classify(schema.Fatal, errors.New("the control topic is empty: this is no installation"))
