package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/audit"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
)

// startAudit begins this process's chain of the audit log.
func (i *installation) startAudit(ctx context.Context) (err error) {
	if i.auditLog, err = eventlog.Open(ctx, i.client, i.store, schema.TopicAudit, 0); err != nil {
		return err
	}
	ends, err := i.auditLog.Ends(ctx)
	if err != nil {
		return err
	}
	var last audit.Record
	if ends[0] > 0 {
		batch, err := i.auditLog.Read(ctx, 0, ends[0]-1, time.Second)
		if err != nil {
			return fmt.Errorf("read the end of the audit log: %w", err)
		}
		for _, r := range batch.Records {
			if err := json.Unmarshal(r.Value, &last); err != nil {
				i.logger.Warn("the last record of the audit log cannot be read", "error", err)
			}
		}
	}
	i.audit = audit.NewWriter(i.client, last.Hash, i.logger, time.Now)
	i.group.Go(func() error { return i.audit.Run(i.run) })
	return nil
}

// readAudit gives the audit log from its first record to its end as it is now.
func (i *installation) readAudit(ctx context.Context, next func(value []byte) bool) error {
	starts, err := i.auditLog.Starts(ctx)
	if err != nil {
		return err
	}
	ends, err := i.auditLog.Ends(ctx)
	if err != nil {
		return err
	}
	for at := starts[0]; at < ends[0]; {
		batch, err := i.auditLog.Read(ctx, 0, at, time.Second)
		if err != nil {
			return err
		}
		for _, record := range batch.Records {
			if !next(record.Value) {
				return nil
			}
		}
		at = batch.Next
	}
	return nil
}

type auditCommand struct {
	List   auditList   `cmd:"" help:"List who saw personal values or exercised a right, newest first."`
	Verify auditVerify `cmd:"" help:"Follow every chain of the audit log, and say whether it is whole."`
}

func (auditCommand) Help() string { return "Example: dossier audit list --since 2026-03-01T00:00:00Z" }

type auditList struct {
	list
	Actor   string `help:"What this actor did." placeholder:"ACTOR"`
	Profile string `help:"What names this profile." placeholder:"ID"`
	Since   string `help:"At this time or later. RFC 3339." placeholder:"TIME"`
	Until   string `help:"Before this time. RFC 3339." placeholder:"TIME"`
	Limit   int    `default:"100" help:"At most so many."`
}

func (auditList) Help() string { return "Example: dossier audit list --actor crm@example.com --json" }

func (c *auditList) Run(ctx context.Context) error {
	query := url.Values{"limit": {fmt.Sprint(c.Limit)}}
	for name, value := range map[string]string{"actor": c.Actor, "profile": c.Profile, "since": c.Since, "until": c.Until} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return show(ctx, &c.list, "/v1/audit?"+query.Encode(), []string{"AT", "ACTOR", "ACTION", "PEOPLE", "PROFILES", "PURPOSE"}, func(r audit.Record) []string {
		return []string{r.At, r.Actor, r.Action, fmt.Sprint(r.People), strings.Join(r.Profiles[:min(len(r.Profiles), 3)], " "), r.Purpose}
	})
}

type auditVerify struct{ list }

func (auditVerify) Help() string {
	return "Example: dossier audit verify\n\nExit code 1 if a record was changed, left out, put in or moved. Keep the hashes of the heads elsewhere to notice that the newest are cut off."
}

func (c *auditVerify) Run(ctx context.Context) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var chains []audit.Chain
	if err := api.call(ctx, http.MethodGet, "/v1/audit/chains", nil, &chains); err != nil {
		return err
	}
	rows, broken := make([][]string, len(chains)), false
	for n, chain := range chains {
		state := "whole"
		if chain.Fault != "" {
			state, broken = chain.Fault, true
		}
		rows[n] = []string{chain.Writer, fmt.Sprint(chain.Records), chain.First, chain.Last, state, chain.Head}
	}
	if c.JSON {
		err = printJSON(chains)
	} else {
		err = printTable([]string{"WRITER", "RECORDS", "FIRST", "LAST", "STATE", "HEAD"}, rows)
	}
	if err == nil && broken {
		err = &exit{exitFailed, errors.New("the audit log is not whole")}
	}
	return err
}
