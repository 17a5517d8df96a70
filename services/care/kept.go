package care

import (
	"sync"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// keptCases remembers rows of open cases that pages of the inbox have shown. A row is told again only when the table still has that version of it, so what is
// remembered is never seen after a change or an erasure; and it is forgotten when nobody has looked at the inbox for a while, so that nothing outlives its row
// for long. It is safe for concurrent use.
type keptCases struct {
	mu     sync.Mutex
	rows   map[keptID]*storedCase
	bytes  int
	forget *time.Timer
}

type keptID struct {
	workspace string
	id        schema.EventID
}

const (
	mostKept = 16 << 20 // bytes, about: some ten thousand cases
	keptFor  = time.Minute
	caseSize = 900 // bytes of a case without its texts, about
)

// of gives those of some cases that are remembered in the latest version. Others of them are forgotten.
func (k *keptCases) of(workspace string, latest map[schema.EventID]uint64) map[schema.EventID]*storedCase {
	found := make(map[schema.EventID]*storedCase, len(latest))
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.forget != nil {
		k.forget.Reset(keptFor)
	}
	for id, version := range latest {
		at := keptID{workspace, id}
		switch c := k.rows[at]; {
		case c == nil:
		case c.version == version:
			found[id] = c
		default:
			k.drop(at)
		}
	}
	return found
}

// keep remembers those of some cases that were found.
func (k *keptCases) keep(workspace string, ids []schema.EventID, found map[schema.EventID]*storedCase) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.rows == nil {
		k.rows = map[keptID]*storedCase{}
		k.forget = time.AfterFunc(keptFor, k.clear)
	}
	for _, id := range ids {
		c := found[id]
		if c == nil {
			continue
		}
		at := keptID{workspace, id}
		k.drop(at)
		k.rows[at] = c
		k.bytes += caseSize + c.size
	}
	for at := range k.rows { // any will do: what is wanted is read again
		if k.bytes <= mostKept {
			break
		}
		k.drop(at)
	}
}

// gone forgets a case that is open no more.
func (k *keptCases) gone(workspace string, id schema.EventID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drop(keptID{workspace, id})
}

func (k *keptCases) drop(at keptID) {
	if c := k.rows[at]; c != nil {
		k.bytes -= caseSize + c.size
		delete(k.rows, at)
	}
}

func (k *keptCases) clear() {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.rows)
	k.bytes = 0
}
