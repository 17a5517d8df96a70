package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/api/backend"
	"github.com/dossier-cdp/dossier/services/internal/rpc"
)

// The calls between the roles of an installation. Lookups are in package backend.
const (
	callRing           = "/keeper/Ring"
	callRingCopy       = "/keeper/CopyRing"
	callNoticed        = "/collector/Noticed"
	callIdentityWait   = "/identity/WaitFor"
	callIdentityExport = "/identity/Export"
	callIdentityStatus = "/identity/Status"
	callTimelineWait   = "/timeline/WaitFor"
	callTimelineStatus = "/timeline/Status"
	callCareWait       = "/care/WaitFor"
	callCareStatus     = "/care/Status"
	callSegmentsWait   = "/segments/WaitFor"
	callDestinations   = "/segments/Destinations"
	callSegmentsStatus = "/segments/Status"
)

type nothing struct{}

// noticedCall asks a collector to notice so many erasures.
type noticedCall struct{ Erasures int }

// ringPart is a piece of the key ring as it marshals. A ring is sent whole at first, and again after each change.
type ringPart struct {
	Bytes []byte
	Last  bool
}

// exportPart is a piece of an export.
type exportPart struct{ Bytes []byte }

const partBytes = 1 << 18

// offerCalls answers what the other processes ask of the roles of this one.
func (i *installation) offerCalls() {
	s := i.coordination.server
	if i.roles.has(keeperRole) {
		rpc.Stream(s, callRing, []string{string(collectorRole), string(identityRole), string(timelineRole), string(careRole), string(segmentsRole), string(apiRole)}, i.sendRing)
		rpc.Stream(s, callRingCopy, []string{string(apiRole)}, i.sendRingCopy)
	}
	if i.roles.has(collectorRole, apiRole) {
		rpc.Answer(s, callNoticed, []string{string(keeperRole)}, func(ctx context.Context, q *noticedCall) (*noticedCall, error) {
			err := until(ctx, 5*time.Millisecond, func() bool { i.erasures.notice(); return i.erasures.noticed.Load() >= int64(q.Erasures) })
			return q, schema.Classify(schema.Transient, err)
		})
	}
	api := []string{string(apiRole)}
	asking := []string{string(apiRole), string(segmentsRole)}
	if i.roles.has(identityRole) {
		own := ownIdentity{&i.profiles, i}
		backend.ServeLookups(s, own, i.identityAnswers)
		rpc.Answer(s, callIdentityWait, asking, func(ctx context.Context, q *reached) (*nothing, error) {
			if err := i.identityAnswers(); err != nil {
				return nil, err
			}
			if err := own.WaitFor(ctx, *q); err != nil {
				return nil, err
			}
			return &nothing{}, i.identityAnswers()
		})
		rpc.Answer(s, callIdentityStatus, api, func(ctx context.Context, _ *nothing) (*identityStatus, error) {
			if err := i.identityAnswers(); err != nil {
				return nil, err
			}
			status, err := own.Status(ctx)
			return &status, err
		})
		rpc.Stream(s, callIdentityExport, api, func(ctx context.Context, q *identityExport, send func(*exportPart) error) error {
			if err := i.identityAnswers(); err != nil {
				return err
			}
			return own.Export(ctx, *q, parts{send})
		})
	}
	if i.roles.has(timelineRole) {
		own := ownTimeline{i}
		rpc.Answer(s, callTimelineWait, asking, func(ctx context.Context, q *reached) (*nothing, error) {
			if err := own.WaitFor(ctx, *q); err != nil {
				return nil, err
			}
			return &nothing{}, i.timelineWrites()
		})
		rpc.Answer(s, callTimelineStatus, api, func(ctx context.Context, _ *nothing) (*timelineStatus, error) {
			status, err := own.Status(ctx)
			return &status, err
		})
	}
	if i.roles.has(segmentsRole) {
		own := ownSegments{i}
		rpc.Answer(s, callSegmentsWait, api, func(ctx context.Context, q *reached) (*nothing, error) {
			if err := own.WaitFor(ctx, *q); err != nil {
				return nil, err
			}
			return &nothing{}, i.segmentsDecide()
		})
		rpc.Answer(s, callDestinations, api, i.ownDestinations)
		rpc.Answer(s, callSegmentsStatus, api, func(ctx context.Context, _ *nothing) (*segmentsStatus, error) {
			status, err := own.Status(ctx)
			return &status, err
		})
	}
	if i.roles.has(careRole) {
		own := ownCare{i}
		rpc.Answer(s, callCareWait, api, func(ctx context.Context, q *reached) (*nothing, error) {
			if err := own.WaitFor(ctx, *q); err != nil {
				return nil, err
			}
			return &nothing{}, i.careWrites()
		})
		rpc.Answer(s, callCareStatus, api, func(ctx context.Context, _ *nothing) (*careStatus, error) {
			status, err := own.Status(ctx)
			return &status, err
		})
	}
}

// parts writes an export as parts.
type parts struct{ send func(*exportPart) error }

func (p parts) Write(b []byte) (int, error) {
	for from := 0; from < len(b); from += partBytes {
		if err := p.send(&exportPart{b[from:min(len(b), from+partBytes)]}); err != nil {
			return from, err
		}
	}
	return len(b), nil
}

// sendRing sends the ring, and again whenever it has changed, as long as this process is the keeper.
func (i *installation) sendRing(ctx context.Context, _ *nothing, send func(*ringPart) error) error {
	for sent := uint64(0); ; {
		keeping := i.keeping.Load()
		if keeping == nil || !(*keeping).Valid() {
			return errStandsBy
		}
		version := i.ring.Version()
		if version != sent {
			whole, err := i.ring.MarshalBinary()
			if err != nil {
				return err
			}
			for from := 0; from < len(whole); from += partBytes {
				to := min(len(whole), from+partBytes)
				if err = send(&ringPart{whole[from:to], to == len(whole)}); err != nil {
					break
				}
			}
			seal.Wipe(whole)
			if err != nil {
				return err
			}
			sent = version
		}
		select {
		case <-ctx.Done():
			return schema.Classify(schema.Transient, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// fetchRing gets the key ring of the keeper, which it keeps in memory only, and follows its changes.
func (i *installation) fetchRing(ctx context.Context) error {
	if i.sharing == nil {
		return nil
	}
	first := make(chan error, 1)
	i.group.Go(func() error {
		for {
			err := i.coordination.once(i.run, keeperRole, keeperLease, func(ctx context.Context, c *rpc.Client) error {
				return i.followRing(ctx, c, first)
			})
			if i.run.Err() != nil {
				return nil
			}
			if schema.ClassOf(err) != schema.Transient {
				select {
				case first <- err:
				default: // what was received stays good; the keeper may be replaced
				}
			}
			i.logger.Debug("the key ring is not followed now", "error", err)
			select {
			case <-i.run.Done():
				return nil
			case <-time.After(200 * time.Millisecond):
			}
		}
	})
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case err := <-first:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-i.run.Done():
			return context.Cause(i.run)
		case <-tick.C:
			fmt.Fprintln(os.Stderr, "waiting for the keeper: start a process with --roles keeper, if none runs")
		}
	}
}

// followRing takes over each ring that comes. first is told of the first one.
func (i *installation) followRing(ctx context.Context, c *rpc.Client, first chan<- error) error {
	var whole []byte
	defer func() { seal.Wipe(whole) }()
	return rpc.Follow(ctx, c, callRing, &nothing{}, func(p *ringPart) error {
		whole = append(whole, p.Bytes...)
		seal.Wipe(p.Bytes)
		if !p.Last {
			return nil
		}
		ring, err := seal.ParseRing(whole)
		seal.Wipe(whole)
		whole = whole[:0]
		if err != nil {
			return fmt.Errorf("the keeper at %s sends no key ring: %w", c.Address(), err)
		}
		if i.ring != nil {
			if ring.Version() == i.ring.Version() {
				ring.Destroy()
				return nil
			}
			return i.ring.Follow(ring)
		}
		i.ring = ring
		i.onStop(func(context.Context) error { ring.Destroy(); return nil })
		first <- nil
		return nil
	})
}

// remoteIdentity is the identity role of another process.
type remoteIdentity struct {
	*backend.Remote
	c *coordinated
}

func (r remoteIdentity) owner(ctx context.Context, f func(ctx context.Context, c *rpc.Client) error) error {
	return r.c.owner(ctx, identityRole, identityLease(mainWorkspace), f)
}

func (r remoteIdentity) WaitFor(ctx context.Context, until reached) error {
	return r.owner(ctx, func(ctx context.Context, c *rpc.Client) error {
		_, err := rpc.Call[reached, nothing](ctx, c, callIdentityWait, &until)
		return err
	})
}

func (r remoteIdentity) Status(ctx context.Context) (identityStatus, error) {
	var status identityStatus
	err := r.owner(ctx, func(ctx context.Context, c *rpc.Client) error {
		got, err := rpc.Call[nothing, identityStatus](ctx, c, callIdentityStatus, &nothing{})
		if err == nil {
			status = *got
		}
		return err
	})
	return status, err
}

// Export begins anew with the next owner only while nothing was written.
func (r remoteIdentity) Export(ctx context.Context, e identityExport, w io.Writer) error {
	began := false
	return r.owner(ctx, func(ctx context.Context, c *rpc.Client) error {
		err := rpc.Follow(ctx, c, callIdentityExport, &e, func(p *exportPart) error {
			began = true
			_, err := w.Write(p.Bytes)
			return err
		})
		if began && err != nil {
			return schema.Classify(schema.Fatal, errors.Join(errors.New("the export is cut: ask for it again"), err))
		}
		return err
	})
}

// remoteTimeline is the timeline role of another process.
type remoteTimeline struct{ c *coordinated }

func (r remoteTimeline) owner(ctx context.Context, f func(ctx context.Context, c *rpc.Client) error) error {
	return r.c.owner(ctx, timelineRole, timelineLease(mainWorkspace), f)
}

func (r remoteTimeline) WaitFor(ctx context.Context, until reached) error {
	return r.owner(ctx, func(ctx context.Context, c *rpc.Client) error {
		_, err := rpc.Call[reached, nothing](ctx, c, callTimelineWait, &until)
		return err
	})
}

func (r remoteTimeline) Status(ctx context.Context) (timelineStatus, error) {
	var status timelineStatus
	err := r.owner(ctx, func(ctx context.Context, c *rpc.Client) error {
		got, err := rpc.Call[nothing, timelineStatus](ctx, c, callTimelineStatus, &nothing{})
		if err == nil {
			status = *got
		}
		return err
	})
	return status, err
}

// remoteCare is the care role of another process.
type remoteCare struct{ c *coordinated }

func (r remoteCare) owner(ctx context.Context, f func(ctx context.Context, c *rpc.Client) error) error {
	return r.c.owner(ctx, careRole, careLease(mainWorkspace), f)
}

func (r remoteCare) WaitFor(ctx context.Context, until reached) error {
	return r.owner(ctx, func(ctx context.Context, c *rpc.Client) error {
		_, err := rpc.Call[reached, nothing](ctx, c, callCareWait, &until)
		return err
	})
}

func (r remoteCare) Status(ctx context.Context) (careStatus, error) {
	var status careStatus
	err := r.owner(ctx, func(ctx context.Context, c *rpc.Client) error {
		got, err := rpc.Call[nothing, careStatus](ctx, c, callCareStatus, &nothing{})
		if err == nil {
			status = *got
		}
		return err
	})
	return status, err
}
