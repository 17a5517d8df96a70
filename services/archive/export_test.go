package archive

import "context"

// CatchUp archives one partition up to the log's end as of now, as follow does, without waiting for more. It returns the first
// error, transient or not; the next call starts over.
func (r *Role) CatchUp(ctx context.Context, part Part, cut int64) error {
	w := newWriter(r, Sequence{Topic: part.Topic, Generation: part.Generation, Live: part.Topic}, part.Partition, cut)
	if err := w.recover(ctx); err != nil {
		return err
	}
	for {
		ranges, err := r.cfg.Source.Offsets(ctx, part.Topic)
		if err != nil || w.next >= ranges[part.Partition].Next {
			return err
		}
		if err := w.step(ctx, 1); err != nil {
			return err
		}
	}
}

// Steps archives one partition step by step, as long as before says so, and tells it how much memory the segment under construction has.
func (r *Role) Steps(ctx context.Context, part Part, cut int64, before func(held int) bool) error {
	w := newWriter(r, Sequence{Topic: part.Topic, Generation: part.Generation, Live: part.Topic}, part.Partition, cut)
	if err := w.recover(ctx); err != nil {
		return err
	}
	for before(cap(w.builder.raw) + cap(w.builder.file) + cap(w.builder.packed)) {
		if err := w.step(ctx, 1); err != nil {
			return err
		}
	}
	return nil
}

// AtBoundaries has a function called between the steps of a folder's writes.
func AtBoundaries(f *Folder, at func(step string)) { f.boundary = at }
