package main

import (
	"context"
	"io"

	"github.com/dossier-cdp/dossier/services/api/manage"
)

// exports are the projections as canonical NDJSON. Each waits until it has what the log holds at the call.
func (i *installation) exports() map[string]manage.Export {
	exports := map[string]manage.Export{"events": i.exportEvents, "cases": i.exportCases, "segments": i.exportSegments}
	for _, name := range identityExports() {
		exports[name] = func(ctx context.Context, workspace string, w io.Writer, o manage.ExportOptions) error {
			now, err := i.now(ctx)
			if err != nil {
				return err
			}
			if err := i.shows(ctx, now); err != nil {
				return err
			}
			return i.identityPeer.Export(ctx, identityExport{Name: name, Workspace: workspace, Options: o, Before: now}, w)
		}
	}
	return exports
}
