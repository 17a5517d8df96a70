package chdb

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/dossier-cdp/dossier/services/internal/pages"
)

// restPath asks the child to give back the memory that a burst of statements left.
const restPath = "/rest"

// Rest gives back what the engine holds only because it was busy: its allocator's free pages, and the pages of its own code that
// nothing has used since. Call it when nothing runs: the next statements fetch what they need from the page cache again.
func (e *Engine) Rest(ctx context.Context) error {
	url := e.url + restPath
	if e.listener == nil { // a stand-alone server
		url = e.url + "/?query=SYSTEM+JEMALLOC+PURGE"
	}
	return e.ask(ctx, http.MethodPost, url)
}

func (f *front) rest(w http.ResponseWriter, rq *request) {
	f.bootMu.Lock()
	err := f.boot.exec("SYSTEM JEMALLOC PURGE")
	f.bootMu.Unlock()
	if err != nil {
		f.fail(w, rq, err)
		return
	}
	debug.FreeOSMemory()
	bytes, err := pages.Drop()
	if err != nil {
		f.log.Warn("mapped files stay in memory", "error", err)
	}
	writeText(w, http.StatusOK, fmt.Sprintf("%d bytes\n", bytes))
}
