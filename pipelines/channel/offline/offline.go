// Package offline makes events of the rows of a file without a collector: what `dossier resolve` and `dossier train` read.
//
// The events are those that an import of the same file with the same mapping would make, but for ids, which are derived under a key of their
// own: nothing that is made here can be told apart from, or connected with, what an installation holds. Every row is believed as a server
// key's word, and is received when the mapping says that it happened.
package offline

import (
	"bytes"
	"errors"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/mapping"
	"github.com/dossier-cdp/dossier/pipelines/channel/native"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
	"github.com/dossier-cdp/dossier/schema/ids"
	"github.com/dossier-cdp/dossier/schema/seal"
)

// workspace is the name that offline ids are derived under.
const workspace = "offline"

// Ids derives the ids of offline events.
type Ids struct {
	deriver *ids.Deriver
	prf     *seal.PRF
}

// NewIds makes the ids' deriver.
func NewIds() *Ids {
	prf := seal.NewPRF(seal.Key{})
	return &Ids{ids.New(prf), prf}
}

// Public is the public id of a persona of offline events.
func (i *Ids) Public(of schema.PersonaEpoch) schema.ProfileID { return i.deriver.Public(of) }

// IdentifierHash is the hash of an identifier's normal form.
func (i *Ids) IdentifierHash(kind, value string) (hash [16]byte) {
	var sum [32]byte
	i.prf.Sum(&sum, []byte("identifier"), []byte(kind), []byte(value))
	copy(hash[:], sum[:])
	return hash
}

// Reader makes events of rows. It must not be used concurrently.
type Reader struct {
	rows   *mapping.Rows
	ids    *ids.Deriver
	sender channel.Sender
	mapped channel.Mapped
}

// NewReader prepares to read rows.
func NewReader(rows *mapping.Rows) *Reader {
	plain := func(name string) *channel.Source { return &channel.Source{Name: name} }
	r := &Reader{rows: rows, ids: NewIds().deriver}
	r.sender = channel.Sender{
		Workspace: workspace, Source: plain("file"), Sources: plain, Trust: schema.TrustServer, Limits: channel.NativeLimits(), ReceivedAt: latest,
		Persona: func(source string, trust schema.Trust, a schema.Account) schema.PersonaID {
			return r.ids.Persona(workspace, source, trust, a)
		},
		Epoch: func(schema.PersonaID) uint32 { return 0 },
	}
	return r
}

// latest is when offline events are received: so late that no row happened after it. (9999-12-31, in microseconds.)
const latest schema.Instant = 253402214400 * 1_000_000

// Row makes the events of one row and hands each to take with the row's record: the mapping's record column, else the row's number. The
// event is valid until take returns. A row that cannot be mapped is a *schema.Refusal, and none of its events is handed over.
func (r *Reader) Row(row *mapping.Row, take func(record string, e *schema.Event) error) error {
	events := r.rows.Map(row)
	for _, e := range events {
		if e.Fault != nil {
			return e.Fault.Refusal
		}
	}
	for _, e := range events {
		if err := r.event(e.JSON, take); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reader) event(text []byte, take func(record string, e *schema.Event) error) error {
	doc, err := canonical.Parse(text, canonical.Limits{Depth: channel.MaxDepth, Values: 2 * channel.MaxProperties})
	if err != nil {
		refusal := (*schema.Refusal)(nil)
		if errors.As(err, &refusal) {
			return refusal
		}
		return schema.Refuse(channel.CodeNotJSON, "the row cannot be read", "correct the row")
	}
	defer doc.Release()
	if refusal := native.Map(doc.Root(), &r.sender, &r.mapped); refusal != nil {
		return refusal
	}
	e := &r.mapped.Event
	e.Workspace = workspace
	if r.mapped.OwnPersona {
		e.Account = r.mapped.OwnAccount()
	}
	e.Persona = r.ids.Persona(workspace, e.Source, schema.TrustServer, e.Account)
	e.ID = r.ids.Event(ids.EventInput{
		Workspace: workspace, Source: e.Source, Trust: schema.TrustServer, Routing: r.mapped.Routing, MessageID: e.Provenance.MessageID, Fingerprint: r.mapped.Fingerprint,
	})
	return take(e.Provenance.MessageID, e)
}

// Copy makes an event that outlives take, with what identity reads of it.
func Copy(e *schema.Event) *schema.Event {
	c := &schema.Event{}
	c.ID, c.Workspace, c.Persona, c.Key, c.OccurredAt, c.Type = e.ID, workspace, e.Persona, e.Key, e.OccurredAt, e.Type
	c.Source, c.ActorID = strings.Clone(e.Source), strings.Clone(e.ActorID)
	c.Account = schema.Account{Kind: strings.Clone(e.Account.Kind), Value: strings.Clone(e.Account.Value)}
	c.Provenance.Trust, c.Provenance.Country = e.Provenance.Trust, strings.Clone(e.Provenance.Country)
	for _, id := range e.Identifiers {
		id.Kind, id.Value, id.SupersededBy = strings.Clone(id.Kind), strings.Clone(id.Value), strings.Clone(id.SupersededBy)
		c.Identifiers = append(c.Identifiers, id)
	}
	for _, t := range e.Traits {
		t.Name, t.Value = strings.Clone(t.Name), bytes.Clone(t.Value)
		c.Traits = append(c.Traits, t)
	}
	if e.Assertion != nil {
		a := *e.Assertion
		c.Assertion = &a
	}
	return c
}
