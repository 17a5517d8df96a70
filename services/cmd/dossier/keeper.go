package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/pipelines/configuration"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/internal/access"
	"github.com/dossier-cdp/dossier/services/internal/control"
	"github.com/dossier-cdp/dossier/services/keeper"
)

// keeperLease is held by the one writer of the key ring.
const keeperLease = "keeper"

// openKeeper opens the key ring of the data folder. Nothing is touched when the master key is wrong.
func (i *installation) openKeeper() error {
	master, _, err := keeper.LoadMasterKey(i.folder.dir, os.Getenv)
	if err != nil {
		return err
	}
	if i.keeper, err = keeper.Open(i.folder.dir, master, time.Now(), rand.Reader); err != nil {
		return cutRotation(i.folder.dir, err)
	}
	i.onStop(func(context.Context) error { return i.keeper.Close() })
	i.ring, err = i.keeper.Ring(mainWorkspace)
	return err
}

// startKeeper makes the first workspace if there is none, gives up the keys of everybody who was erased, says in the control topic which
// version the ring has, and goes on with the erasures that come. It returns when that is done for the first time.
func (i *installation) startKeeper(ctx context.Context) error {
	kept := make(chan struct{})
	var first sync.Once
	i.hold(keeperLease, nil, func(ctx context.Context, l lease) error {
		if err := belongs(ctx, i.control, i.ring, i.connections.TopicPrefix); err != nil {
			return err
		}
		if err := i.firstStart(ctx); err != nil {
			return err
		}
		defer i.keeping.Store(nil)
		return i.keep(ctx, func() {
			i.keeping.Store(&l)
			first.Do(func() { close(kept) })
		})
	})
	select {
	case <-kept:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-i.run.Done():
		return context.Cause(i.run)
	case <-time.After(i.leaseWait()):
		return i.anotherKeeper()
	}
}

// keep gives up the keys of the erased, as erasures come, and of dead letters that name them or have expired, until ctx ends. done is called after the first
// round.
func (i *installation) keep(ctx context.Context, done func()) error {
	punched, configured := 0, ""
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	letters := make(chan *closedLetters)
	if err := i.bringUp(i.control.State()); err != nil {
		return err
	}
	go i.findLetters(ctx, letters)
	for {
		changed := i.control.Changed()
		state := i.control.State()
		all := state.Erasures(mainWorkspace)
		if len(all) > punched {
			var epochs []schema.PersonaEpoch
			for _, e := range all {
				if e.Expired == nil {
					epochs = append(epochs, e.PersonaEpoch)
				}
			}
			if err := i.noticedEverywhere(ctx, len(all)); err != nil {
				return ended(ctx, err)
			}
			if err := i.keeper.Punch(mainWorkspace, epochs); err != nil {
				return fmt.Errorf("give up the keys of erased people: %w", err)
			}
			if err := i.keeper.Expire(mainWorkspace, state.Expired(mainWorkspace)); err != nil {
				return fmt.Errorf("give up the secrets of what is kept no longer: %w", err)
			}
			punched = len(all)
		}
		if err := i.keeper.Raise(mainWorkspace, state.RingVersion(mainWorkspace)); err != nil {
			return fmt.Errorf("keep the key ring: %w", err)
		}
		if err := i.keepClasses(state, &configured); err != nil {
			return err
		}
		if err := i.tellRing(ctx); err != nil {
			return ended(ctx, err)
		}
		if err := i.tellGivenUp(ctx, keysGone, len(state.Erased(mainWorkspace))); err != nil {
			return ended(ctx, err)
		}
		done()
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case closed := <-letters:
			if err := i.giveUpLetters(closed); err != nil {
				return fmt.Errorf("give up the keys of dead letters: %w", err)
			}
			if err := i.tellGivenUp(ctx, lettersGone, closed.through); err != nil {
				return ended(ctx, err)
			}
		}
	}
}

// bringUp refuses a ring that cannot open what the log was written under. One that is only older, such as a copy that was restored or put in its place by hand,
// forgets what was erased since as any other does, and is the present one then.
func (i *installation) bringUp(state *control.State) error {
	told := state.RingTold(mainWorkspace)
	if i.ring.Version() >= told.Version {
		return nil
	}
	if told.Secrets == "" {
		return oldRing(state, i.ring) // told by a version that did not say more
	}
	ended := state.Expired(mainWorkspace)
	if err := i.keeper.Expire(mainWorkspace, ended[:min(told.Expired, len(ended))]); err != nil {
		return fmt.Errorf("give up the secrets of what is kept no longer: %w", err)
	}
	if i.ring.Commitment(told.Through) != told.Secrets {
		return fmt.Errorf("the key ring lacks keys that the log was written under: it has version %d and the log was written under version %d; put the latest copy of keys/ and keeper/, or the latest registered one, in its place", i.ring.Version(), told.Version)
	}
	i.logger.Warn("an older key ring is in place: all erasures are repeated in it", "version", i.ring.Version(), "latest", told.Version)
	return nil
}

// keepClasses makes the secrets of the retention classes that the configuration in force names and the ring has none for. Collectors hold events of such a
// class back until they have them.
func (i *installation) keepClasses(state *control.State, seen *string) error {
	document := state.Configuration(mainWorkspace)
	if document.Hash == *seen {
		return nil
	}
	*seen = document.Hash
	inForce, err := configuration.Parse(document.Document, time.LoadLocation)
	if err != nil {
		return nil // written by a newer version: whoever runs under it says so
	}
	for _, class := range inForce.Classes() {
		if i.ring.Holds(class) {
			continue
		}
		if err := i.keeper.Add(mainWorkspace, class); err != nil {
			return fmt.Errorf("make the secrets of the retention class %s: %w", class, err)
		}
	}
	return nil
}

// What the keeper says of the decisions to erase that it has honoured: that the keys of events are given up, and those of dead letters.
const (
	keysGone    = "keeper"
	lettersGone = "letters"
)

// tellGivenUp records that no key is left of whom so many decisions name, unless the control topic has it.
func (i *installation) tellGivenUp(ctx context.Context, what string, through int) error {
	const store = "ring"
	if through == 0 || i.control.State().HonouredBy(mainWorkspace, what, store) >= through {
		return nil
	}
	return tellHonoured(ctx, i.control, &schema.ControlHonoured{Role: what, Store: store, Through: through, Version: i.ring.Version()})
}

// tellRing records which version of the ring the log is written under, unless the control topic has it.
func (i *installation) tellRing(ctx context.Context) error {
	version, state := i.ring.Version(), i.control.State()
	if state.RingVersion(mainWorkspace) >= version {
		return nil
	}
	through, ended := time.Now().UTC().Year(), 0
	for _, of := range state.Expired(mainWorkspace) {
		if !i.ring.Expired(of.Class, of.Year) {
			break // decided since the ring was written
		}
		ended++
	}
	return i.control.Append(ctx, &schema.Control{
		ID: uuid.NewString(), Kind: schema.ControlRingChanged, Workspace: mainWorkspace, Actor: "dossier keeper",
		Ring: &schema.ControlRing{Version: version, Secrets: i.ring.Commitment(through), Through: through, Expired: ended},
	})
}

// oldRing refuses a ring that lacks changes which the control topic tells of.
func oldRing(state *control.State, ring *seal.Ring) error {
	if told := state.RingVersion(mainWorkspace); ring.Version() < told {
		return fmt.Errorf("the key ring has version %d, the log was written under version %d: put the latest copy of keys/ and keeper/ back", ring.Version(), told)
	}
	return nil
}

// firstStart makes the workspace main with its keys, if the control topic has none or their secrets are lost. The credentials are written
// first: a crash in between makes new ones at the next start, and never keys that nobody has.
func (i *installation) firstStart(ctx context.Context) error {
	if len(i.control.State().Workspaces()) > 0 && i.credentials.APIToken != "" {
		return nil
	}
	c := credentials{
		Workspace: mainWorkspace, URL: i.url(),
		WriteKey: manage.NewSecret("dk_server_"), ClientKey: manage.NewSecret("dk_client_"), APIToken: manage.NewSecret("dt_"),
	}
	if err := i.folder.writeCredentials(c); err != nil {
		return err
	}
	i.credentials = c
	decide := func(kind schema.ControlKind) *schema.Control {
		return &schema.Control{ID: uuid.NewString(), Kind: kind, Workspace: mainWorkspace, Actor: "dossier keeper", Reason: "first start"}
	}
	workspace, server, client, token := decide(schema.ControlWorkspaceCreated), decide(schema.ControlKeyCreated), decide(schema.ControlKeyCreated), decide(schema.ControlTokenCreated)
	server.Key = &schema.ControlAccess{ID: uuid.NewString(), Name: "first server key", Hash: control.HashSecret(c.WriteKey), Source: "server", Trust: schema.TrustServer.String()}
	client.Key = &schema.ControlAccess{ID: uuid.NewString(), Name: "first browser key", Hash: control.HashSecret(c.ClientKey), Source: "web", Trust: schema.TrustClient.String()}
	token.Token = &schema.ControlAccess{ID: uuid.NewString(), Name: "first token", Hash: control.HashSecret(c.APIToken), Actor: "owner", Scopes: access.Scopes()}
	return i.control.Append(ctx, workspace, server, client, token)
}
