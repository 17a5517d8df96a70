package graphql

import (
	gql "github.com/graph-gophers/graphql-go"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/schema"
)

// What care keeps of a case, and what agents wrote down about it.

// told gives a value of what care keeps; nil where it keeps nothing.
func told[T any](c *caseNode, of func(w *Waiting) *T) *T {
	if c.w == nil {
		return nil
	}
	return of(c.w)
}

func (c *caseNode) Brand() *string {
	return told(c, func(w *Waiting) *string { return optional(w.Brand) })
}
func (c *caseNode) Team() *string {
	return told(c, func(w *Waiting) *string { return optional(w.Team) })
}
func (c *caseNode) Owner() *string {
	return told(c, func(w *Waiting) *string { return c.veil.text(w.Owner) })
}
func (c *caseNode) Complaint() *bool {
	return told(c, func(w *Waiting) *bool { return &w.Complaint })
}
func (c *caseNode) Resolution() *string {
	return told(c, func(w *Waiting) *string { return optional(w.Resolution) })
}
func (c *caseNode) NextStep() *string {
	return told(c, func(w *Waiting) *string { return c.veil.text(w.NextStep) })
}
func (c *caseNode) NextStepDueAt() *timeValue {
	return told(c, func(w *Waiting) *timeValue { return optionalTime(w.NextStepDue) })
}
func (c *caseNode) ReplyDueAt() *timeValue {
	return told(c, func(w *Waiting) *timeValue { return optionalTime(w.ReplyDue) })
}
func (c *caseNode) ResolutionDueAt() *timeValue {
	return told(c, func(w *Waiting) *timeValue { return optionalTime(w.ResolutionDue) })
}
func (c *caseNode) Flags() *[]string {
	return told(c, func(w *Waiting) *[]string { list := append([]string{}, w.Flags...); return &list })
}

// Countdown resolves Case.countdown.
func (c *caseNode) Countdown() *countdown {
	if c.w == nil || c.w.DueAt == 0 {
		return nil
	}
	return &countdown{c.w}
}

type countdown struct{ w *Waiting }

func (c *countdown) Of() string {
	if c.w.DueAt == c.w.ReplyDue {
		return "reply"
	}
	return "resolution"
}
func (c *countdown) DueAt() timeValue { return timeOf(c.w.DueAt) }
func (c *countdown) Seconds() float64 { return seconds(care.Span(c.w.DueAt - c.w.Asked)) }
func (c *countdown) Calendar() string { return c.w.Calendar }
func (c *countdown) OpenSeconds() *float64 {
	if c.w.OpenLeft == care.NoSpan {
		return nil
	}
	left := seconds(c.w.OpenLeft)
	return &left
}

func seconds(s care.Span) float64 { return float64(s) / 1e6 }

// written is a time as details hold it.
func written(text string) *timeValue {
	at, err := schema.ParseInstant(text)
	if text == "" || err != nil {
		return nil
	}
	return optionalTime(at)
}

// when is a time that is always there.
func when(text string) timeValue {
	if t := written(text); t != nil {
		return *t
	}
	return timeOf(0) // Unreachable: the fold writes it
}

// every makes the objects of a list.
func every[T, O any](list []T, of func(t T) *O) *[]*O {
	out := make([]*O, len(list))
	for i := range list {
		out[i] = of(list[i])
	}
	return &out
}

// Tasks resolves Case.tasks.
func (c *caseNode) Tasks() *[]*task {
	return told(c, func(w *Waiting) *[]*task { return every(w.Tasks, func(t care.Task) *task { return &task{t, c.veil} }) })
}

// Notes resolves Case.notes.
func (c *caseNode) Notes() *[]*note {
	return told(c, func(w *Waiting) *[]*note { return every(w.Notes, func(n care.Note) *note { return &note{n, c.veil} }) })
}

// Gestures resolves Case.gestures.
func (c *caseNode) Gestures() *[]*gesture {
	return told(c, func(w *Waiting) *[]*gesture {
		return every(w.Gestures, func(g care.Gesture) *gesture { return &gesture{g, c.veil} })
	})
}

// Moderations resolves Case.moderations.
func (c *caseNode) Moderations() *[]*moderation {
	return told(c, func(w *Waiting) *[]*moderation {
		return every(w.Moderations, func(m care.Moderation) *moderation { return &moderation{m, c.veil} })
	})
}

type moderation struct {
	m    care.Moderation
	veil veil
}

func (m *moderation) Event() gql.ID    { return gql.ID(m.m.Event) }
func (m *moderation) Action() *string  { return optional(m.m.Action) }
func (m *moderation) Charter() *string { return optional(m.m.Charter) }
func (m *moderation) Rule() *string    { return optional(m.m.Rule) }
func (m *moderation) Reason() *string  { return m.veil.text(m.m.Reason) }
func (m *moderation) Notice() *string  { return m.veil.text(m.m.Notice) }
func (m *moderation) By() *string      { return m.veil.text(m.m.By) }
func (m *moderation) At() timeValue    { return when(m.m.At) }
func (m *moderation) Outcome() *string { return optional(m.m.Outcome) }
func (m *moderation) AppealOf() *gql.ID {
	if m.m.AppealOf == "" {
		return nil
	}
	id := gql.ID(m.m.AppealOf)
	return &id
}

// List resolves Promises.list.
func (p *promises) List() []*promise { return promisesOf(p.w.Told, p.w.Asked, p.veil) }

func promisesOf(list []care.Promise, asked schema.Instant, v veil) []*promise {
	return *every(list, func(p care.Promise) *promise { return &promise{p, asked, v} })
}

type task struct {
	t    care.Task
	veil veil
}

func (t *task) Event() gql.ID           { return gql.ID(t.t.Event) }
func (t *task) Text() *string           { return t.veil.text(t.t.Text) }
func (t *task) By() *string             { return t.veil.text(t.t.By) }
func (t *task) AddedAt() timeValue      { return when(t.t.AddedAt) }
func (t *task) DueAt() *timeValue       { return written(t.t.DueAt) }
func (t *task) CompletedAt() *timeValue { return written(t.t.CompletedAt) }

type note struct {
	n    care.Note
	veil veil
}

func (n *note) Event() gql.ID { return gql.ID(n.n.Event) }
func (n *note) Text() *string { return n.veil.text(n.n.Text) }
func (n *note) By() *string   { return n.veil.text(n.n.By) }
func (n *note) At() timeValue { return when(n.n.At) }

type gesture struct {
	g    care.Gesture
	veil veil
}

func (g *gesture) Event() gql.ID     { return gql.ID(g.g.Event) }
func (g *gesture) Kind() *string     { return optional(g.g.Kind) }
func (g *gesture) Amount() *string   { return optional(g.g.Amount) }
func (g *gesture) Currency() *string { return optional(g.g.Currency) }
func (g *gesture) Text() *string     { return g.veil.text(g.g.Text) }
func (g *gesture) Reason() *string   { return g.veil.text(g.g.Reason) }
func (g *gesture) By() *string       { return g.veil.text(g.g.By) }
func (g *gesture) At() timeValue     { return when(g.g.At) }

type promise struct {
	p     care.Promise
	asked schema.Instant
	veil  veil
}

func (p *promise) Event() gql.ID        { return gql.ID(p.p.Event) }
func (p *promise) Text() *string        { return p.veil.text(p.p.Text) }
func (p *promise) By() *string          { return p.veil.text(p.p.By) }
func (p *promise) MadeAt() timeValue    { return when(p.p.MadeAt) }
func (p *promise) DueAt() *timeValue    { return written(p.p.DueAt) }
func (p *promise) KeptAt() *timeValue   { return written(p.p.KeptAt) }
func (p *promise) BrokenAt() *timeValue { return written(p.p.BrokenAt) }
func (p *promise) State() string        { return p.p.State(p.asked) }

func (p *promise) Kept() *bool {
	state := p.State()
	kept := state == "kept"
	if state == "open" {
		return nil
	}
	return &kept
}

type lastContact struct {
	owner schema.ProfileID
	c     *LastContact
	veil  veil
}

func (l *lastContact) Event() gql.ID       { return gqlID(l.c.ID) }
func (l *lastContact) Channel() string     { return l.c.Channel }
func (l *lastContact) Reason() *string     { return optional(l.c.Theme) }
func (l *lastContact) Complaint() bool     { return l.c.Complaint }
func (l *lastContact) Outcome() string     { return l.c.Outcome }
func (l *lastContact) OpenedAt() timeValue { return timeOf(l.c.OpenedAt) }
func (l *lastContact) LastAt() timeValue   { return timeOf(l.c.LastAt) }
func (l *lastContact) Case() gql.ID        { return caseID(l.owner, l.c.Case) }
func (l *lastContact) Promises() []*promise {
	return promisesOf(l.c.Promises, l.c.Asked, l.veil)
}

func (l *lastContact) Agents() []string {
	out := []string{}
	for _, a := range l.c.Agents {
		out = append(out, *l.veil.text(a))
	}
	return out
}
