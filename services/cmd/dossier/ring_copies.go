package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/internal/control"
	"github.com/dossier-cdp/dossier/services/internal/rpc"
)

// ringCopies hands out copies of the key ring and registers them in the control topic. The keeper makes them, in this process or in another.
type ringCopies struct {
	control *control.Control
	copy    func(ctx context.Context) (content []byte, versions map[string]uint64, err error)
}

func (i *installation) ringCopies() manage.RingCopies {
	if i.keeper != nil {
		return ringCopies{i.control, func(context.Context) ([]byte, map[string]uint64, error) { return i.copyRing() }}
	}
	return ringCopies{i.control, remoteKeeper{i.coordination}.copyRing}
}

// copyRing makes a copy, as long as this process is the keeper.
func (i *installation) copyRing() (content []byte, versions map[string]uint64, err error) {
	keeping := i.keeping.Load()
	if keeping == nil || !(*keeping).Valid() {
		return nil, nil, errStandsBy
	}
	return i.keeper.Copy()
}

// Copy registers the copy before it is handed out: one that nobody knows of must not exist.
func (r ringCopies) Copy(ctx context.Context, name, actor string) ([]byte, error) {
	if strings.TrimSpace(name) != name || name == "" || len(name) > 100 {
		return nil, schema.Refuse("name_invalid", "a copy has a name of at most 100 characters", "name the place where it is kept, such as bank-safe")
	}
	content, versions, err := r.copy(ctx)
	if err != nil {
		return nil, fmt.Errorf("have the keeper copy the key ring: %w", err)
	}
	sum := sha256.Sum256(content)
	return content, r.register(ctx, actor, &schema.ControlRingCopy{Name: name, Digest: hex.EncodeToString(sum[:]), Versions: versions})
}

func (r ringCopies) register(ctx context.Context, actor string, c *schema.ControlRingCopy) error {
	return r.control.Append(ctx, &schema.Control{ID: uuid.NewString(), Kind: schema.ControlRingCopied, Actor: actor, RingCopy: c})
}

// Destroyed takes a copy off the list.
func (r ringCopies) Destroyed(ctx context.Context, name, actor string) (bool, error) {
	for _, c := range r.control.State().RingCopies() {
		if c.Name == name {
			return true, r.register(ctx, actor, &schema.ControlRingCopy{Name: name})
		}
	}
	return false, nil
}

// List says of each copy whether keys were given up since: the keeper tells the control topic of every version of its ring.
func (r ringCopies) List() []manage.RingCopyLine {
	state := r.control.State()
	var lines []manage.RingCopyLine
	for _, c := range state.RingCopies() {
		line := manage.RingCopyLine{Name: c.Name, Made: c.At.String(), Actor: c.Actor, Digest: c.Digest, Current: true}
		for _, workspace := range state.Workspaces() {
			line.Current = line.Current && c.Versions[workspace] >= state.RingVersion(workspace)
		}
		lines = append(lines, line)
	}
	return lines
}

// ringCopyPart is a piece of a copy. The last one has the version of each workspace's ring.
type ringCopyPart struct {
	Bytes    []byte
	Versions map[string]uint64
}

// sendRingCopy answers the processes with the role api. The copy is sealed under the master key, which they do not have.
func (i *installation) sendRingCopy(_ context.Context, _ *nothing, send func(*ringCopyPart) error) error {
	content, versions, err := i.copyRing()
	if err != nil {
		return err
	}
	for from := 0; from < len(content); from += partBytes {
		if err := send(&ringCopyPart{Bytes: content[from:min(len(content), from+partBytes)]}); err != nil {
			return err
		}
	}
	return send(&ringCopyPart{Versions: versions})
}

// remoteKeeper is the keeper role of another process.
type remoteKeeper struct{ c *coordinated }

func (r remoteKeeper) copyRing(ctx context.Context) (content []byte, versions map[string]uint64, err error) {
	err = r.c.owner(ctx, keeperRole, keeperLease, func(ctx context.Context, c *rpc.Client) error {
		content, versions = nil, nil // of a call that was cut
		return rpc.Follow(ctx, c, callRingCopy, &nothing{}, func(p *ringCopyPart) error {
			content, versions = append(content, p.Bytes...), p.Versions
			return nil
		})
	})
	if err == nil && len(versions) == 0 {
		return nil, nil, schema.Classify(schema.Transient, fmt.Errorf("the copy that the keeper sent is cut: ask for it again"))
	}
	return content, versions, err
}
