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
		if err := w.step(ctx); err != nil {
			return err
		}
	}
}
