package collector

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/native"
	"github.com/dossier-cdp/dossier/pipelines/channel/segment"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
	"github.com/dossier-cdp/dossier/schema/ids"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
	"github.com/dossier-cdp/dossier/services/internal/access"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// tokenSource is the source of events that come with a token.
const tokenSource = "api"

// caller is who sends: a write key or a token.
type caller struct {
	workspace string
	source    string
	trust     schema.Trust
	token     *access.Token
}

func keyCaller(k access.WriteKey) caller {
	return caller{workspace: k.Workspace, source: k.Source, trust: k.Trust}
}

func tokenCaller(t access.Token) caller {
	return caller{workspace: t.Workspace, source: tokenSource, trust: schema.TrustServer, token: &t}
}

// Refused is one event that was not accepted.
type Refused struct {
	Index  int    `json:"index"`
	ID     string `json:"id"` // the sender's message id, if it could be read
	Code   string `json:"code"`
	Reason string `json:"reason"`
	Hint   string `json:"hint"`
}

// Receipt says what became of each event of a request.
type Receipt struct {
	Accepted int
	IDs      []schema.EventID // by index; zero where the event was refused
	Refused  []Refused
}

// forbidden says whether nothing was accepted and nothing of it was allowed.
func (r *Receipt) forbidden() bool {
	for i := range r.Refused {
		if !channel.Forbidden(r.Refused[i].Code) {
			return false
		}
	}
	return len(r.Refused) > 0 && r.Accepted == 0
}

// intake is one request on its way from bytes to messages. It comes from a pool.
type intake struct {
	c         *Collector
	workspace *Workspace
	caller    caller
	endpoint  string
	call      string // Segment's call; empty on the batch path
	native    bool
	hook      bool // a webhook, which is answered with 200 also when nothing was accepted
	cloud     bool // native events in the form of CloudEvents
	parts     parts
	context   canonical.Node // of a batch
	shared    int            // bytes of context, which every item of the batch carries
	sender    channel.Sender
	mapped    channel.Mapped
	sealed    []byte             // values of all messages, end to end
	cuts      []int              // where each value ends
	personas  []schema.PersonaID // keys of all messages
	messages  []kafka.Message
	letters   []deadletter.Letter
	receipt   Receipt
	again     schema.Instant // when a dead letter was received that is taken in once more; 0: it comes now
	delivered *delivered     // what the events were made of by a mapping; nil if they came as events
}

var intakes = sync.Pool{New: func() any { return new(intake) }}

// release gives the memory back. It must not be called while the log may still use the messages.
func (in *intake) release() {
	const keep = 1 << 20
	if cap(in.sealed) > keep || cap(in.messages) > 4096 || cap(in.parts.envelope) > keep || cap(in.mapped.Event.Properties) > keep {
		return
	}
	clear(in.messages)
	clear(in.letters)
	clear(in.receipt.Refused)
	in.mapped.Reset()
	*in = intake{
		mapped: in.mapped, sealed: in.sealed[:0], cuts: in.cuts[:0], personas: in.personas[:0], messages: in.messages[:0],
		letters: in.letters[:0], parts: parts{items: in.parts.items[:0], envelope: in.parts.envelope[:0]},
		receipt: Receipt{IDs: in.receipt.IDs[:0], Refused: in.receipt.Refused[:0]},
	}
	intakes.Put(in)
}

// Accept takes events in from within the process, on behalf of a token: what a mutation does. text is one native event, an array or
// NDJSON. The events are durable when it returns without an error; refusals are in the receipt.
func (c *Collector) Accept(ctx context.Context, token access.Token, text []byte) (Receipt, error) {
	in := intakes.Get().(*intake)
	in.c, in.native, in.endpoint = c, true, "mutation"
	f := in.takeApart(text, "")
	if f == nil {
		f = c.prepare(in, tokenCaller(token), text)
	}
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

// prepare does everything that needs the bytes of the body, whose items have been found. On a failure in must not be used any more.
func (c *Collector) prepare(in *intake, who caller, text []byte) *failure {
	if len(in.parts.items) == 0 {
		return fail(http.StatusBadRequest, "empty", "there is no event in the body", "send at least one event")
	}
	if f := c.begin(in, who, len(in.parts.items)); f != nil {
		return f
	}
	envelope, f := in.readEnvelope(text)
	if f != nil {
		return f
	}
	if envelope != nil {
		defer envelope.Release()
	}
	first := in.sender.ReceivedAt
	for i, at := range in.parts.items {
		in.sender.ReceivedAt = first + schema.Instant(i)
		if f := in.item(i, text[at.from:at.to], text); f != nil {
			return f
		}
	}
	return nil
}

// begin finds the workspace of who sends, and receives n events.
func (c *Collector) begin(in *intake, who caller, n int) *failure {
	in.caller = who
	workspace, ready := c.workspace(who.workspace)
	if !ready {
		f := fail(http.StatusServiceUnavailable, "not_ready", "the workspace is not served here yet", "try again")
		f.retryAfter = time.Second
		return f
	}
	if !c.room() {
		c.metrics.unavailable.Add(1)
		f := fail(http.StatusServiceUnavailable, "disk_full", "the disk of the log is full: nothing more is accepted", "make room for the data folder, or enlarge its volume; then send again, nothing needs a restart")
		f.retryAfter = 5 * time.Second
		return f
	}
	in.workspace = workspace
	in.sender = channel.Sender{
		Workspace: workspace.Name, Source: workspace.Source(who.source), Sources: workspace.Source, Trust: who.trust,
		Limits: c.limits.Segment, ReceivedAt: c.receipt(n),
		Persona: func(source string, trust schema.Trust, a schema.Account) schema.PersonaID {
			return workspace.Ids.Persona(workspace.Name, source, trust, a)
		},
		Epoch: func(id schema.PersonaID) uint32 { epoch, _ := workspace.Epoch(id); return epoch },
	}
	if in.again != 0 {
		in.sender.ReceivedAt = in.again
	}
	if in.native {
		in.sender.Limits = c.limits.Native
	}
	if who.token != nil {
		in.sender.Token, in.sender.May = true, who.token.Has
	}
	return nil
}

// takeApart finds the items of the body by its endpoint.
func (in *intake) takeApart(text []byte, contentType string) *failure {
	switch {
	case in.native:
		return in.parts.events(text, isNDJSON(contentType), in.c.limits.NativeEvents)
	case in.call == "":
		return in.parts.batch(text, in.c.limits.SegmentEvents)
	}
	return in.parts.single(text)
}

// readEnvelope reads what a batch says for all of its items.
func (in *intake) readEnvelope(text []byte) (*canonical.Doc, *failure) {
	if len(in.parts.envelope) <= 2 {
		return nil, nil
	}
	doc, err := canonical.Parse(in.parts.envelope, canonical.Limits{Depth: in.sender.Limits.Depth})
	if err != nil {
		if r := (*schema.Refusal)(nil); errors.As(err, &r) && r.Code != channel.CodeNotJSON {
			return nil, fail(http.StatusBadRequest, r.Code, "beside the batch's items: "+r.Reason, r.Hint)
		}
		return nil, notJSON(text, 0, "an object with the member batch")
	}
	root := doc.Root()
	in.context = root.Get("context")
	from, to := in.context.Span()
	in.shared = to - from
	if stated := channel.LooseText(root.Get("sentAt")); stated != "" {
		if at, r := channel.ParseTime("sentAt", stated); r == nil {
			in.sender.SentAt = at
		}
	}
	return doc, nil
}

// item takes in one event. It fails only where the whole body must be refused.
func (in *intake) item(i int, raw, text []byte) *failure {
	in.receipt.IDs = append(in.receipt.IDs, schema.EventID{})
	if size := len(raw) + in.shared; size > in.sender.Limits.EventBytes {
		in.refuse(i, raw, "", in.sender.Limits.Check(canonical.Node{}, size))
		return nil
	}
	doc, err := canonical.Parse(raw, canonical.Limits{Depth: in.sender.Limits.Depth, Values: 2 * in.sender.Limits.Properties})
	if err != nil {
		refusal := (*schema.Refusal)(nil)
		if !errors.As(err, &refusal) {
			refusal = schema.Refuse(channel.CodeNotJSON, "the event cannot be read", "send one JSON object")
		}
		if refusal.Code == canonical.CodeTooManyValues {
			refusal = schema.Refuse(channel.CodeTooManyProperties, refusal.Reason, "send fewer properties in one event")
		}
		if refusal.Code == channel.CodeNotJSON && in.parts.whole {
			return notJSON(text, in.parts.items[i].from, "a JSON value")
		}
		in.refuse(i, raw, "", refusal)
		return nil
	}
	defer doc.Release()
	item := doc.Root()
	refusal := in.sender.Limits.Check(item, len(raw))
	if refusal == nil && in.cloud {
		var unwrapped *canonical.Doc
		if unwrapped, refusal = in.unwrap(item); refusal == nil {
			defer unwrapped.Release()
			item = unwrapped.Root()
		}
	}
	if refusal == nil {
		refusal = in.mapItem(item)
	}
	if refusal == nil {
		var f *failure
		if refusal, f = in.seal(i); f != nil {
			return f
		}
	}
	if refusal != nil {
		id, _ := item.Get("messageId").Str()
		in.refuse(i, raw, id, refusal)
	}
	return nil
}

// unwrap makes a native event of a CloudEvent.
func (in *intake) unwrap(item canonical.Node) (*canonical.Doc, *schema.Refusal) {
	text, refusal := native.FromCloudEvent(item)
	if refusal != nil {
		return nil, refusal
	}
	doc, err := canonical.Parse(text, canonical.Limits{Depth: in.sender.Limits.Depth})
	if err != nil && !errors.As(err, &refusal) {
		refusal = schema.Refuse(channel.CodeNotJSON, "the event cannot be read", "send one JSON object")
	}
	return doc, refusal
}

func (in *intake) mapItem(item canonical.Node) *schema.Refusal {
	if in.native {
		return native.Map(item, &in.sender, &in.mapped)
	}
	if in.caller.token != nil {
		return schema.Refuse(channel.CodeScopeMissing, "Segment's API takes write keys, and this is a token",
			"send the source's write key ('dossier keys create' makes one); /v1/events is where a token's events go")
	}
	return segment.Map(item, in.context, in.call, &in.sender, &in.mapped)
}

// seal derives persona, id and key of the mapped event and writes its wire form behind the others.
func (in *intake) seal(i int) (*schema.Refusal, *failure) {
	m, e, w := &in.mapped, &in.mapped.Event, in.workspace
	e.Workspace = w.Name
	if t := in.caller.token; t != nil {
		e.Actor, e.ActorID = schema.ActorAgent, t.Actor
	}
	if m.OwnPersona {
		e.Account = m.OwnAccount()
	}
	trust := e.Provenance.Trust
	if m.About.Persona.IsZero() {
		e.Persona = w.Ids.Persona(w.Name, e.Source, trust, e.Account)
	} else {
		e.Persona = m.About.Persona
	}
	id := ids.EventInput{
		Workspace: w.Name, Source: e.Source, Trust: trust, Routing: m.Routing, MessageID: e.Provenance.MessageID, Fingerprint: m.Fingerprint,
	}
	if e.Provenance.ReceiptTimed {
		id.Receipt = e.ReceivedAt
	}
	e.ID = w.Ids.Event(id)
	class := in.sender.Source
	if e.Source != class.Name {
		class = w.Source(e.Source)
	}
	if in.caller.token == nil && w.Suppressed != nil && w.Suppressed(e, class.Country) {
		return schema.Refuse(channel.CodeSuppressed, "nothing more of this person is to be kept", "do not send it again, until the person is unsuppressed"), nil
	}
	e.Key = schema.KeyID{Class: class.RetentionClass(), Year: e.OccurredAt.Year()}
	if w.Class != nil {
		e.Key.Class = w.Class(class, e.Type)
	}
	if w.Expired != nil && w.Expired(e.Key.Class, e.Key.Year) {
		return schema.Refuse(channel.CodeRetentionExpired, "what is of its retention class and occurred in its year is kept no longer", "do not send it again; 'dossier retention list' tells what is kept"), nil
	}
	for attempt := 0; ; attempt++ {
		epoch, cutOff := w.Epoch(e.Persona)
		if r := in.erased(epoch, cutOff); r != nil {
			return r, nil
		}
		e.Key.Epoch = epoch
		sealed, err := w.Sealer.Seal(in.sealed, e)
		switch refusal := (*schema.Refusal)(nil); {
		case err == nil:
			in.sealed = sealed
			in.cuts = append(in.cuts, len(sealed))
			in.personas = append(in.personas, e.Persona)
			in.receipt.IDs[i] = e.ID
			in.receipt.Accepted++
			return nil, nil
		case errors.Is(err, seal.ErrPunched) && attempt == 0:
			continue // the epoch was closed between the two questions: the event belongs to the next one
		case errors.Is(err, seal.ErrNoSecret) && w.Holds != nil && !w.Holds(e.Key.Class):
			f := fail(http.StatusServiceUnavailable, "not_ready", "the keys of a new retention class are being made", "try again in a moment")
			f.retryAfter = time.Second
			return nil, f
		case errors.As(err, &refusal) && !errors.Is(err, seal.ErrPunched):
			return refusal, nil
		default:
			in.c.logger.Error("an event could not be sealed", "workspace", w.Name, "source", e.Source, "error", err)
			f := fail(http.StatusServiceUnavailable, "not_ready", "events cannot be sealed now", "try again; the log of the collector says why")
			f.retryAfter = time.Second
			return nil, f
		}
	}
}

// erased refuses what occurred before the person was erased, and decisions about a person who was.
func (in *intake) erased(epoch uint32, cutOff schema.Instant) *schema.Refusal {
	m := &in.mapped
	gone := m.Event.OccurredAt <= cutOff
	if a := m.Event.Assertion; a != nil {
		if !a.A.Persona.IsZero() {
			gone = gone || a.A.Epoch != epoch
		}
		if !a.B.Persona.IsZero() {
			other, _ := in.workspace.Epoch(a.B.Persona)
			gone = gone || a.B.Epoch != other
		}
	}
	if !gone {
		return nil
	}
	return schema.Refuse(channel.CodeErased, "it occurred before the person was erased", "do not send it again")
}

// refuse records that an event is refused, and keeps it as a dead letter unless its refusal says that nothing is stored.
func (in *intake) refuse(i int, raw []byte, messageID string, r *schema.Refusal) {
	in.c.metrics.refuse(r.Code)
	if len(messageID) > channel.MaxIdentifier {
		messageID = ""
	}
	in.receipt.Refused = append(in.receipt.Refused, Refused{Index: i, ID: messageID, Code: r.Code, Reason: r.Reason, Hint: r.Hint})
	if r.Code == channel.CodeNotJSON || channel.Unwanted(r.Code) || channel.Forbidden(r.Code) {
		return
	}
	letter := deadletter.Letter{
		Workspace: in.workspace.Name, Source: in.sender.Source.Name, Trust: in.caller.trust, Endpoint: in.endpoint, Mapping: segment.Mapping,
		Refusal: *r, ReceivedAt: in.sender.ReceivedAt, Index: i, Raw: raw,
	}
	switch {
	case in.delivered != nil:
		letter.Mapping, letter.Raw, letter.Context = in.delivered.mapping, in.delivered.raw, in.delivered.context
	case in.native:
		letter.Mapping = native.Mapping
	}
	if in.context.Exists() {
		letter.Context = in.context.AppendCanonical(nil, nil)
	}
	if len(letter.Raw)+len(letter.Context) > deadletter.MaxBytes {
		return // more than a record of the log takes: the sender has it, and hears so
	}
	letter.Raw = append([]byte(nil), letter.Raw...)
	in.letters = append(in.letters, letter)
}

// write hands the messages and the dead letters to the log. When it returns nil all of them are durable.
func (c *Collector) write(ctx context.Context, in *intake) *failure {
	// A page that is being left hangs up at once: what has arrived is written all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.limits.WriteTimeout)
	defer cancel()
	return c.store(ctx, in)
}

// store is write without a time of its own.
func (c *Collector) store(ctx context.Context, in *intake) *failure {
	from := 0
	for i, to := range in.cuts {
		in.messages = append(in.messages, kafka.Message{Key: in.personas[i][:], Value: in.sealed[from:to:to]})
		from = to
	}
	if len(in.messages) > 0 {
		if err := c.log.Submit(ctx, in.messages); err != nil {
			return c.unavailable(fmt.Errorf("write %d events: %w", len(in.messages), err))
		}
		c.metrics.accepted.Add(uint64(len(in.messages)))
	}
	if len(in.letters) > 0 {
		if err := in.workspace.Letters.Put(ctx, in.letters); err != nil {
			return c.unavailable(err)
		}
		c.metrics.letters.Add(uint64(len(in.letters)))
	}
	return nil
}

func (c *Collector) unavailable(err error) *failure {
	c.metrics.unavailable.Add(1)
	if refusal := (*schema.Refusal)(nil); errors.As(err, &refusal) { // it would be refused again
		c.logger.Error("the log refuses a record", "error", err)
		return &failure{status: http.StatusRequestEntityTooLarge, refusal: refusal}
	}
	if kafka.Class(err) == schema.Transient {
		c.logger.Warn("events were not acknowledged", "error", err)
	} else {
		c.logger.Error("events were not acknowledged", "error", err)
	}
	f := fail(http.StatusServiceUnavailable, "log_unavailable", "the log did not acknowledge the events", "send them again; what was written after all counts once")
	f.retryAfter = time.Second
	if after, known := kafka.RetryAfter(err); known && after > 0 {
		f.retryAfter = after
	}
	return f
}
