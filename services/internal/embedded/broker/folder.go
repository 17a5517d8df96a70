package broker

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/dossier-cdp/dossier/schema"
)

// identityVersion is that of broker.json. Version 1 knew no generations of a topic: a program of then would go on writing to one that is
// closed, and refuses version 2. One of version 1 is read as it is, and becomes version 2 when the log starts.
const identityVersion = 2

// identity is broker.json: which log this folder holds.
type identity struct {
	Version int                      `json:"version"`
	Cluster string                   `json:"cluster"`
	Topics  map[string]topicIdentity `json:"topics"`
}

type topicIdentity struct {
	ID         string `json:"id"`
	Partitions int32  `json:"partitions"`
}

// newClusterID makes an id in Kafka's own form, 16 random bytes in URL-safe base64.
func newClusterID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: the runtime ends the process instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// load reads broker.json, if there is one, over id. An engine folder and broker.json only ever exist together: one without the
// other, once topics were recorded, means that somebody removed half of the log.
func (id *identity) load(dir, folder string) error {
	path := filepath.Join(dir, "broker.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(folder, "topics.json")); err == nil {
			return &DamageError{Path: path, Reason: "missing beside a log; restore it"}
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the log's identity: %w", err)
	}
	var read identity
	if err := json.Unmarshal(b, &read); err != nil {
		return &DamageError{Path: path, Reason: err.Error()}
	}
	if read.Version > identityVersion {
		return schema.Classify(schema.Fatal, fmt.Errorf("%s has version %d, this program knows %d: use a newer program", path, read.Version, identityVersion))
	}
	if read.Topics == nil {
		read.Topics = map[string]topicIdentity{}
	}
	*id = read
	id.Version = identityVersion
	if len(read.Topics) > 0 {
		if _, err := os.Stat(filepath.Join(folder, "topics.json")); err != nil {
			return &DamageError{Path: folder, Reason: "the log is missing; restore it, or start a new data folder"}
		}
	}
	return nil
}

// save writes broker.json whole: write new, fsync, rename, fsync the folder.
func (id *identity) save(dir string) error {
	b, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the log's identity: %w", err)
	}
	path := filepath.Join(dir, "broker.json")
	if old, err := os.ReadFile(path); err == nil && string(old) == string(b)+"\n" {
		return nil
	}
	if err := writeDurably(path, append(b, '\n')); err != nil {
		return fmt.Errorf("write the log's identity: %w", err)
	}
	return nil
}

func writeDurably(path string, content []byte) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}

// lockFolder takes the folder for this process. The lock dies with the process, however it dies.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the log's folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		closing := f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w", dir, ErrInUse)
		}
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), closing)
	}
	return f, nil
}
