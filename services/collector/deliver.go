package collector

import (
	"cmp"
	"context"

	"github.com/dossier-cdp/dossier/pipelines/channel/mapping"
	"github.com/dossier-cdp/dossier/schema"
)

// Delivery is what a mapping made of a source's payload: of a webhook, or of records of a topic.
type Delivery struct {
	Workspace string
	Source    string
	Endpoint  string // the path that it came by; a piece may have a place of its own
	Mapping   string // the mapping's name
	Pieces    []mapping.Piece
}

// delivered is the piece that is being taken in, as its dead letter has it.
type delivered struct {
	mapping string
	raw     []byte
	context []byte
}

// Deliver takes in what a source delivered, with the rights of its server key. When it returns without an error, every accepted event and every
// dead letter is durable; refusals are in the receipt, which counts events. An error is transient if the same delivery may succeed later.
func (c *Collector) Deliver(ctx context.Context, d Delivery) (Receipt, error) {
	in := intakes.Get().(*intake)
	f := c.deliver(in, &d)
	if f == nil {
		f = c.write(ctx, in)
	}
	if f != nil {
		return Receipt{}, f.classed()
	}
	receipt := Receipt{Accepted: in.receipt.Accepted, IDs: append([]schema.EventID(nil), in.receipt.IDs...), Refused: append([]Refused(nil), in.receipt.Refused...)}
	in.release()
	return receipt, nil
}

// deliver makes messages and letters of a delivery. On a failure in must not be used any more.
func (c *Collector) deliver(in *intake, d *Delivery) *failure {
	in.c, in.native, in.endpoint = c, true, d.Endpoint
	n := 0
	for i := range d.Pieces {
		n += max(1, len(d.Pieces[i].Events))
	}
	if f := c.begin(in, caller{workspace: d.Workspace, source: d.Source, trust: schema.TrustServer}, max(1, n)); f != nil {
		return f
	}
	first, at := in.sender.ReceivedAt, 0
	for i := range d.Pieces {
		p := &d.Pieces[i]
		in.endpoint = cmp.Or(p.Place, d.Endpoint)
		in.delivered = &delivered{mapping: d.Mapping, raw: p.Raw}
		if p.Context != nil {
			in.delivered.context = p.Context()
		}
		if refusal := p.Refused(); refusal != nil {
			in.sender.ReceivedAt = first + schema.Instant(at)
			in.receipt.IDs = append(in.receipt.IDs, schema.EventID{})
			in.refuse(at, p.Raw, "", refusal)
			at++
			continue
		}
		for _, e := range p.Events {
			in.sender.ReceivedAt = first + schema.Instant(at)
			if f := in.item(at, e.JSON, e.JSON); f != nil {
				return f
			}
			at++
		}
	}
	return nil
}
