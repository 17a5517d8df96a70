package backup

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/dossier-cdp/dossier/services/archive"
)

// Progress is told while a backup or a restore runs.
type Progress struct{ Records, Total int64 }

// Copy makes a backup of source in dir, which it creates, or brings the one that is there up to date. told may be nil. After an error
// the backup that was there before still counts, and the next Copy takes up what was copied.
func Copy(ctx context.Context, source Source, dir string, told func(Progress)) (_ *Manifest, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the backup's folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the backup's folder is not writable: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("another backup into %s is running: wait for it, or choose another folder", dir)
	}
	old, err := Open(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if old == nil {
		if err := unusedFolder(dir); err != nil {
			return nil, err
		}
	}
	plan, err := source.Plan(ctx)
	if err != nil {
		return nil, err
	}
	if old != nil {
		if err := plan.continues(dir, &old.Manifest); err != nil {
			return nil, err
		}
	}
	files, err := archive.OpenFolder(filepath.Join(dir, "archive"))
	if err != nil {
		return nil, err
	}
	c := &copying{source: source, files: files, told: told}
	for i := range plan.Parts {
		c.progress.Total += plan.Parts[i].Records
	}
	made := &Manifest{Format: Format, Installation: plan.Installation, Made: plan.Made}
	for i := range plan.Parts {
		part, err := c.part(ctx, &plan.Parts[i])
		if err != nil {
			return nil, err
		}
		made.Parts = append(made.Parts, part)
	}
	if err := made.write(dir); err != nil {
		return nil, err
	}
	return made, (&Folder{Manifest: *made, dir: dir, files: files}).sweep(ctx)
}

// unusedFolder refuses a folder in which something else lies.
func unusedFolder(dir string) error {
	found, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read the backup's folder: %w", err)
	}
	for _, entry := range found {
		if name := entry.Name(); name != "lock" && name != "archive" && name != manifestFile+".new" {
			return fmt.Errorf("%s holds something that is no backup (%s): choose an empty folder", dir, name)
		}
	}
	return nil
}

// continues refuses to replace a backup by one of something else, or by one that has less.
func (p *Plan) continues(dir string, old *Manifest) error {
	if old.Installation != p.Installation {
		return fmt.Errorf("%s holds a backup of another installation: choose another folder", dir)
	}
	now := map[archive.Part]int64{}
	for i := range p.Parts {
		now[p.Parts[i].archived()] = p.Parts[i].Records
	}
	for i := range old.Parts {
		part := &old.Parts[i]
		if now[part.archived()] < part.Records {
			return fmt.Errorf("the backup in %s has %d records of %s, this installation %d: it was restored from an earlier one, or lost records; choose another folder",
				dir, part.Records, part.archived(), now[part.archived()])
		}
	}
	return nil
}

func (p *PlanPart) archived() archive.Part {
	return archive.Part{Topic: p.Topic, Generation: p.Generation, Partition: p.Partition}
}

// copying is one Copy under way.
type copying struct {
	source   Source
	files    *archive.Folder
	told     func(Progress)
	progress Progress
}

func (c *copying) tell(records int64) {
	c.progress.Records += records
	if c.told != nil {
		c.told(c.progress)
	}
}

// part copies one partition of one generation: first the archived files that are not there yet, then the rest of the log.
func (c *copying) part(ctx context.Context, p *PlanPart) (Part, error) {
	of := p.archived()
	made := Part{Topic: p.Topic, Generation: p.Generation, Partition: p.Partition, Records: p.Records}
	if p.Records == 0 {
		return made, nil
	}
	entries, err := archive.ParseManifest([]byte(p.Manifest))
	if err != nil {
		return made, fmt.Errorf("copy %s: %w", of, err)
	}
	there := map[string]bool{}
	names, err := c.files.Names(ctx, of)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return made, err
	}
	for _, name := range names {
		there[name] = true
	}
	for i := range entries {
		e := &entries[i]
		// What has the name was verified when it got it, under another name until then.
		if !there[e.Name()] {
			file, err := c.source.Segment(ctx, of, e.Name())
			if err != nil {
				return made, err
			}
			if _, err := archive.CheckEntry(of, e, file); err != nil {
				return made, fmt.Errorf("copy %s: the archive's file %s: %w", of, e.Name(), err)
			}
			if err := c.files.Put(ctx, of, e.Name(), file); err != nil {
				return made, err
			}
		}
		c.tell(e.Next - e.From)
	}
	if entries, err = c.rest(ctx, p, entries); err != nil {
		return made, err
	}
	var manifest []byte
	for i := range entries {
		var prev *archive.Entry
		if i > 0 {
			prev = &entries[i-1]
		}
		if manifest, err = archive.AppendEntry(manifest, prev, &entries[i]); err != nil {
			return made, err
		}
		made.Segments++
		made.Bytes += entries[i].SegmentBytes
	}
	made.Manifest = digest(manifest)
	return made, c.files.Put(ctx, of, made.Manifest+".manifest", manifest)
}

// rest copies what is not archived yet.
func (c *copying) rest(ctx context.Context, p *PlanPart, entries []archive.Entry) ([]archive.Entry, error) {
	of := p.archived()
	at := int64(0)
	if n := len(entries); n > 0 {
		at = entries[n-1].Next
	}
	for at < p.Records {
		file, err := c.source.Range(ctx, of, at, p.Records)
		if err != nil {
			return nil, err
		}
		s, err := archive.OpenSegment(file, sha256.Sum256(file))
		if err != nil {
			return nil, fmt.Errorf("copy %s from offset %d: %w", of, at, err)
		}
		e, err := s.Entry()
		if err == nil {
			_, err = archive.CheckEntry(of, &e, file)
		}
		if err == nil && (e.From != at || e.Next > p.Records) {
			err = fmt.Errorf("offsets %d to %d came", e.From, e.Next)
		}
		if err != nil {
			return nil, fmt.Errorf("copy %s from offset %d: %w", of, at, err)
		}
		if err := c.files.Put(ctx, of, e.Name(), file); err != nil {
			return nil, err
		}
		entries = append(entries, e)
		c.tell(e.Next - at)
		at = e.Next
	}
	return entries, nil
}
