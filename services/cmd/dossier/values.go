package main

import (
	"context"

	"github.com/dossier-cdp/dossier/pipelines/value"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/timeline/query"
)

// customers hands what every customer bought to use, by who is who when everything that the log holds now is there.
func (i *installation) customers(ctx context.Context, workspace string, before schema.Instant, use func([][]value.Purchase) error) error {
	if err := i.visible(ctx); err != nil {
		return err
	}
	var all [][]value.Purchase
	for purchases, err := range (query.Reader{Conn: i.house}).AllPurchases(ctx, workspace, before) {
		if err != nil {
			return err
		}
		all = append(all, purchases)
	}
	return use(all)
}
