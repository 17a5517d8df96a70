package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	rules "github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/pipelines/reputation"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/ids"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/care"
	"github.com/dossier-cdp/dossier/services/internal/control"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/state"
	"github.com/dossier-cdp/dossier/services/internal/webhook"
)

// careLease is held by the care role that writes for a workspace.
func careLease(workspace string) string { return "care/" + workspace }

// startCare keeps conversations, cases and surveys whenever this process holds the lease.
func (i *installation) startCare(ctx context.Context) error {
	decided, err := i.alerts(ctx)
	if err != nil {
		return err
	}
	store, err := state.Open(i.state("care"), state.Options{CacheBytes: 16 << 20, MemTableBytes: 32 << 20, Logger: i.logger})
	if err != nil {
		return err
	}
	i.onStop(func(context.Context) error { return store.Close() })
	public := ids.New(i.ring.PRF())
	texts := i.newTexts()
	i.care = care.New(care.Config{
		Workspace: mainWorkspace, Feed: i.reads(), Log: i.eventLog, Partitions: i.eventLog.Partitions(), Generation: i.eventLog.Generation(),
		Tables: care.ClickHouse{Conn: i.house}, Store: store, Public: public.Public, Rules: func() *rules.Rules { return i.configuration.current.Load().Care },
		Reputation: func() *reputation.Settings { return i.configuration.current.Load().Reputation },
		Decided:    decided, Sender: webhook.New(), Secrets: i.folder.hookSecrets,
		Texts: texts, Silent: i.shadow != nil, Void: i.erasures.void, MemoryBytes: careMemory(), Logger: i.logger, Registry: i.registry,
	})
	i.onRest(i.care.Rest)
	i.careErased = &eraser{
		erasures: i.erasures, ring: i.ring, forget: i.feed.Forget, logger: i.logger, seeded: i.seeded,
		erase: func(ctx context.Context, some []control.Erasure) error {
			texts.Forget()
			erased := make([]care.Erasure, len(some))
			for n := range some {
				erased[n] = care.Erasure{PersonaEpoch: some[n].PersonaEpoch, CutOff: some[n].CutOff}
			}
			return i.care.Erase(ctx, erased...)
		},
		expire: func(ctx context.Context, of []schema.ExpiredYear) error {
			texts.Forget()
			return i.expiredEvents(ctx, of, func(some []schema.Clear) error { return i.care.Expire(ctx, some) })
		},
		after: func(ctx context.Context, all []control.Erasure) error {
			var erased []schema.PersonaEpoch
			for n := range all {
				if all[n].Expired == nil {
					erased = append(erased, all[n].PersonaEpoch)
				}
			}
			return i.care.Reclaim(ctx, erased)
		},
		purger: i.newPurger("care", store.Name, purgeBoth(store, i.house, schema.TableConversations, schema.TableCases, schema.TableSurveys, schema.TableVerbatims, schema.TableMentions)),
	}
	i.hold(careLease(mainWorkspace), nil, i.keepCare)
	return nil
}

// alerts is where care records the alerts that it raises; nil where it raises none, since others do.
func (i *installation) alerts(ctx context.Context) (care.Decided, error) {
	if i.shadow != nil {
		return nil, nil
	}
	decisions, err := eventlog.Open(ctx, i.client, i.store, schema.TopicDecisions, 0)
	if err != nil {
		return nil, err
	}
	return &care.DecisionsTopic{Log: decisions, Producer: i.client, Now: time.Now}, nil
}

// keepCare is the care role until ctx ends. Its erasures are repeated by each owner.
func (i *installation) keepCare(ctx context.Context, l lease) error {
	i.careLead.Store(&l)
	defer i.careLead.Store(nil)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if i.coordination == nil {
			return i.care.Run(ctx)
		}
		return i.care.Lead(ctx, l)
	})
	group.Go(func() error {
		if err := i.careErased.run(ctx); err != nil {
			return fmt.Errorf("erase from conversations and cases: %w", err)
		}
		return nil
	})
	return group.Wait()
}

// careWrites refuses while another process is the one to ask.
func (i *installation) careWrites() error {
	if l := i.careLead.Load(); l == nil || !(*l).Valid() {
		return errStandsBy
	}
	return nil
}

// carePeer is the care role as the others see it.
type carePeer interface {
	// WaitFor returns when the tables of care show what was reached, and nothing of the erased.
	WaitFor(ctx context.Context, r reached) error
	Status(ctx context.Context) (careStatus, error)
}

// careStatus is how a care role is doing.
type careStatus struct {
	Ready   bool
	Visible []int64 // of each partition, the offset up to which every event is in the rows
	Pending int64   // erasures
}

// ownCare is the care role of this process.
type ownCare struct{ i *installation }

func (o ownCare) WaitFor(ctx context.Context, r reached) error {
	if err := o.i.careWrites(); err != nil {
		return err
	}
	if err := o.i.care.WaitFor(ctx, r.Ends); err != nil {
		return waiting("care", err)
	}
	return o.i.careErased.wait(ctx, r.Erasures)
}

func (o ownCare) Status(context.Context) (s careStatus, err error) {
	if err := o.i.careWrites(); err != nil {
		return s, err
	}
	s.Visible, s.Ready = o.i.care.Visible()
	s.Pending = o.i.careErased.pending()
	return s, nil
}

// exportCases writes conversations, cases and surveys as they are now. What depends on the time of asking, such as what is overdue, is not in
// them: deadlines are.
func (i *installation) exportCases(ctx context.Context, workspace string, w io.Writer, _ manage.ExportOptions) error {
	now, err := i.now(ctx)
	if err != nil {
		return err
	}
	if err := i.carePeer.WaitFor(ctx, now); err != nil {
		if errors.Is(err, errNobody) {
			return fmt.Errorf("%w: start a process with the role care", err)
		}
		return err
	}
	return care.Export(ctx, i.house, workspace, w)
}

// cared says whether a process has the role care.
func (i *installation) cared() bool {
	if i.coordination == nil {
		return i.care != nil
	}
	_, held := i.coordination.Owner(careLease(mainWorkspace))
	return held
}

// caresNow waits for care where a process has that role.
func (i *installation) caresNow(ctx context.Context, r reached) error {
	if c := i.coordination; c != nil {
		if _, held := c.Owner(careLease(mainWorkspace)); !held {
			return nil
		}
	}
	return i.carePeer.WaitFor(ctx, r)
}
