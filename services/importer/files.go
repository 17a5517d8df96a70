package importer

import (
	"context"
	"sync"
)

// Result is what became of one file of several.
type Result struct {
	Summary *Summary
	Err     error
}

// Files imports files, some at once, and gives their results in the order of the paths. Requests under way are bounded over all of them. After a
// failure no other file is begun: its result has neither summary nor error.
func Files(ctx context.Context, cfg Config, paths []string) []Result {
	cfg.defaults()
	results := make([]Result, len(paths))
	together := &progresses{tell: cfg.Progress, of: map[int]Progress{}}
	next := make(chan int)
	stop := make(chan struct{})
	var once sync.Once
	var workers sync.WaitGroup
	for range min(cfg.Files, len(paths)) {
		workers.Go(func() {
			for n := range next {
				one := cfg
				if cfg.Progress != nil {
					one.Progress = func(p Progress) { together.report(n, p) }
				}
				summary, err := File(ctx, one, paths[n])
				results[n] = Result{summary, err}
				if err != nil {
					once.Do(func() { close(stop) })
				}
			}
		})
	}
	for n := range paths {
		select {
		case next <- n:
			continue
		case <-stop:
		case <-ctx.Done():
		}
		break
	}
	close(next)
	workers.Wait()
	return results
}

// progresses makes one progress of those of several files.
type progresses struct {
	tell func(Progress)
	mu   sync.Mutex
	of   map[int]Progress
}

func (t *progresses) report(n int, p Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.of[n] = p
	all := Progress{File: p.File, Done: true}
	for _, one := range t.of {
		all.Rows, all.Accepted, all.Refused = all.Rows+one.Rows, all.Accepted+one.Accepted, all.Refused+one.Refused
		all.Bytes, all.Total = all.Bytes+one.Bytes, all.Total+one.Total
		all.Elapsed, all.Left, all.Done = max(all.Elapsed, one.Elapsed), max(all.Left, one.Left), all.Done && one.Done
	}
	t.tell(all)
}
