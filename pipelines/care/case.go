package care

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/reputation"
	"github.com/dossier-cdp/dossier/schema"
)

// turn is what moves a case on, in the order of time.
type turn struct {
	at     schema.Instant
	kind   turnKind
	mark   *Contact
	thread int // of what is asked and answered
}

type turnKind uint8

// At the same instant a case is opened before it is asked, and answered before it is resolved.
const (
	turnOpened turnKind = iota
	turnAsked
	turnReplied
	turnResolved
	turnReopened
)

// fold makes the row of a case.
func (d *dossier) fold(rules *Rules) {
	d.row = Case{
		Source: d.key.source, Number: d.key.number, FirstReplyWait: NoSpan, FirstReplyOpen: NoSpan, ResolutionWait: NoSpan, ResolutionOpen: NoSpan,
		FullResolutionWait: NoSpan, FullResolutionOpen: NoSpan,
	}
	d.gather()
	turns := d.turns()
	d.live(turns)
	d.stated()
	d.wait(rules)
	d.promises(rules)
	d.hear()
	d.weigh()
}

// gather sums up what the conversations say.
func (d *dossier) gather() {
	r := &d.row
	var first, customer *Contact
	see := func(c *Contact) {
		r.Events++
		if n := len(r.Personas); n == 0 || r.Personas[n-1] != c.Persona {
			r.Personas = append(r.Personas, c.Persona)
		}
		if first == nil || compare(c, first) < 0 {
			first = c
		}
	}
	for _, t := range d.threads {
		for _, c := range t.contacts {
			see(c)
			if c.Actor == schema.ActorCustomer && (customer == nil || compare(c, customer) < 0) {
				customer = c
			}
			if !c.private() {
				r.LastContactAt = max(r.LastContactAt, c.At)
			}
		}
		w := &t.row
		r.Conversations = append(r.Conversations, w.ID)
		r.Channels = append(r.Channels, w.Channel)
		r.Agents = append(r.Agents, w.Agents...)
		r.Inbound, r.Outbound, r.Automatic, r.Transfers = r.Inbound+w.Inbound, r.Outbound+w.Outbound, r.Automatic+w.Automatic, r.Transfers+w.Transfers
		r.LastInboundAt = max(r.LastInboundAt, w.LastInboundAt)
		if w.FirstInboundAt != 0 && (r.FirstInboundAt == 0 || w.FirstInboundAt < r.FirstInboundAt) {
			r.FirstInboundAt, r.FirstReplyDue = w.FirstInboundAt, w.FirstReplyDue
		}
		if w.FirstReplyAt != 0 && (r.FirstReplyAt == 0 || w.FirstReplyAt < r.FirstReplyAt) {
			r.FirstReplyAt = w.FirstReplyAt
		}
	}
	for _, m := range d.marks {
		see(m)
		r.Declared = r.Declared || m.Type == schema.TypeCaseOpened || m.Type == schema.TypeCaseResolved || m.Type == schema.TypeCaseReopened
	}
	r.ID, r.Channel = first.ID, first.Channel.String()
	r.Source = cmp.Or(r.Source, first.Source)
	r.Persona = first.Persona
	if customer != nil {
		r.Persona, r.Channel = customer.Persona, customer.Channel.String()
	}
	r.OpenedAt = first.At
	stated := false
	for _, m := range d.marks {
		if m.Type == schema.TypeCaseOpened && !stated {
			stated, r.OpenedAt, r.Persona = true, m.At, m.Persona
		}
	}
	if r.Declared && !stated {
		d.flags.add(FlagNeverOpened)
	}
	r.LastContactAt = cmp.Or(r.LastContactAt, r.OpenedAt)
	for _, t := range d.threads {
		if t.row.FirstInboundAt != 0 && t.row.FirstInboundAt == r.FirstInboundAt {
			r.Channel = t.row.Channel // a bot's chat is a chat
		}
	}
	slices.SortFunc(r.Personas, schema.ProfileID.Compare)
	r.Personas = slices.Compact(r.Personas)
	slices.SortFunc(r.Conversations, schema.EventID.Compare)
	for _, list := range []*[]string{&r.Channels, &r.Agents} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
}

// turns are the questions, answers and decisions of the case.
func (d *dossier) turns() (turns []turn) {
	for n, t := range d.threads {
		w := &t.row
		for i, asked := range w.AskedAt {
			turns = append(turns, turn{at: asked, kind: turnAsked, thread: n}, turn{at: w.RepliedAt[i], kind: turnReplied, thread: n})
		}
		switch {
		case w.WaitingSince != 0:
			turns = append(turns, turn{at: w.WaitingSince, kind: turnAsked, thread: n})
		case (w.Outcome == "abandoned" || w.Outcome == "short_abandon") && w.FirstInboundAt != 0: // asked, and gave up
			turns = append(turns, turn{at: w.FirstInboundAt, kind: turnAsked, thread: n}, turn{at: w.AbandonedAt, kind: turnReplied, thread: n})
		}
	}
	for _, m := range d.marks {
		switch m.Type {
		case schema.TypeCaseOpened:
			turns = append(turns, turn{at: m.At, kind: turnOpened, mark: m})
		case schema.TypeCaseResolved:
			turns = append(turns, turn{at: m.At, kind: turnResolved, mark: m})
		case schema.TypeCaseReopened:
			turns = append(turns, turn{at: m.At, kind: turnReopened, mark: m})
		}
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.kind, b.kind)) })
	return turns
}

// live goes through the turns. A question after the resolution opens the case again until it is answered, or until its source says more;
// thanks are no question.
func (d *dossier) live(turns []turn) {
	r := &d.row
	resolved, reopened, byCustomer := false, false, false
	waiting := make([]schema.Instant, len(d.threads)) // the open question of each conversation: an answer in another one is none to it
	var asked, replied schema.Instant                 // since when any question is open, the latest answer that no question follows
	for _, t := range turns {
		switch t.kind {
		case turnAsked:
			r.Contacts++
			if r.FirstResolvedAt == 0 {
				r.ContactsBeforeResolution++
			}
			waiting[t.thread] = t.at
			if asked == 0 {
				asked = t.at
			}
			if replied != 0 {
				r.AgentWait += Span(t.at - replied)
				replied = 0
			}
			if resolved {
				resolved, reopened, byCustomer = false, true, true
				r.Reopens++
				r.LastReopenedAt, r.LastResolvedAt = t.at, 0
			}
		case turnReplied:
			waiting[t.thread] = 0
			if earliest(waiting) != 0 {
				continue
			}
			if asked != 0 {
				r.RequesterWait += Span(t.at - asked)
				asked, replied = 0, t.at
			}
			if byCustomer {
				resolved, reopened, byCustomer = true, false, false
				r.LastResolvedAt = t.at
			}
		case turnResolved:
			if asked != 0 {
				r.RequesterWait += Span(t.at - asked)
			}
			asked, replied = 0, 0
			clear(waiting)
			if !resolved {
				r.Resolutions++
			}
			resolved, reopened, byCustomer = true, false, false
			r.LastResolvedAt = t.at
			if r.FirstResolvedAt == 0 {
				r.FirstResolvedAt = t.at
			}
		case turnReopened:
			switch {
			case resolved:
				r.Reopens++
				r.LastReopenedAt, r.LastResolvedAt = t.at, 0
			case !reopened:
				d.flags.add(FlagReopenedUnresolved)
			}
			resolved, reopened, byCustomer = false, true, false
		}
	}
	asked = earliest(waiting)
	switch {
	case !r.Declared && asked != 0:
		r.State = "open"
	case !r.Declared:
		r.State = "answered"
	case resolved:
		r.State = "resolved"
	case reopened:
		r.State = "reopened"
	case asked == 0 && r.FirstReplyAt != 0:
		r.State = "waiting"
	default:
		r.State = "open"
	}
	r.WaitingSince = asked
	for _, t := range d.threads {
		w := &t.row
		if w.WaitingSince != 0 && (asked == 0 || w.WaitingSince < asked) { // the resolution was the answer
			w.WaitingSince, w.NextReplyDue, w.Outcome = 0, 0, "closed"
			if w.FirstReplyAt == 0 {
				w.FirstReplyDue = 0
			}
		}
		if w.WaitingSince != 0 && w.NextReplyDue != 0 && (r.NextReplyDue == 0 || w.NextReplyDue < r.NextReplyDue) {
			r.NextReplyDue = w.NextReplyDue
		}
	}
	if asked == 0 && r.FirstReplyAt == 0 {
		r.FirstReplyDue = 0
	}
}

// earliest is the first of instants that are not 0.
func earliest(of []schema.Instant) (first schema.Instant) {
	for _, at := range of {
		if at != 0 && (first == 0 || at < first) {
			first = at
		}
	}
	return first
}

// stated takes what the case's source says last of what it is, and for the rest what its conversations say first.
func (d *dossier) stated() {
	r := &d.row
	for _, m := range slices.Backward(d.marks) {
		if keepsCase(m.Type) {
			r.attributes().take(m)
		}
	}
	var last *thread
	for _, t := range d.threads {
		for _, c := range t.contacts {
			r.attributes().take(c)
		}
		if t.row.ResolvedFlag != Unknown || t.row.Resolvable != Unknown {
			r.Resolvable = cmp.Or(t.row.Resolvable, r.Resolvable)
		}
		if t.row.FirstAgent != "" && (last == nil || t.row.LastReplyAt >= last.row.LastReplyAt) {
			last = t
		}
	}
	for _, m := range d.marks {
		r.attributes().take(m)
		r.Owner = cmp.Or(m.property(propOwner), r.Owner)
		r.NextStep = cmp.Or(m.property(propNextStep), r.NextStep)
		if m.property(propNextStep) != "" {
			r.NextStepDue = m.due()
		}
		if flag := m.says(propExplained); flag != Unknown {
			r.Explained = flag
		}
		if flag := m.says(propResolvable); flag != Unknown {
			r.Resolvable = flag
		}
		if m.Type == schema.TypeCaseResolved {
			r.Resolution = cmp.Or(m.property(propResolution), r.Resolution)
		}
		r.Complaint = r.Complaint || complains(m)
	}
	if r.Owner == "" && last != nil {
		r.Owner = last.row.FirstAgent
	}
	for _, t := range d.threads {
		for _, c := range t.contacts {
			r.Complaint = r.Complaint || complains(c)
		}
	}
}

// complains says whether the source calls a contact a complaint.
func complains(c *Contact) bool {
	if c.says(propComplaint) == Yes {
		return true
	}
	switch strings.ToLower(c.property(propKind)) {
	case "complaint", "réclamation", "reclamation", "claim":
		return keepsCase(c.Type) || isContact(c.Type)
	}
	return false
}

// due is the date that a mark states, 0 if none.
func (c *Contact) due() schema.Instant {
	at, err := schema.ParseInstant(c.property(propDue))
	if err != nil {
		return 0
	}
	return at
}

// wait makes the waits and the deadlines of the case.
func (d *dossier) wait(rules *Rules) {
	r := &d.row
	since := func(at schema.Instant) clocks {
		return rules.At(at).clocks(r.Channel, r.Priority, r.Tier, r.Brand, r.Team)
	}
	k := since(r.OpenedAt)
	r.Calendar = k.version()
	if r.FirstReplyAt != 0 && r.FirstInboundAt != 0 && r.FirstReplyAt >= r.FirstInboundAt {
		r.FirstReplyWait, r.FirstReplyOpen = Span(r.FirstReplyAt-r.FirstInboundAt), since(r.FirstInboundAt).calendar.Open(r.FirstInboundAt, r.FirstReplyAt)
	}
	if r.Declared || r.State == "open" {
		r.ResolutionDue = k.due(r.OpenedAt, k.Resolution)
	}
	if r.FirstResolvedAt != 0 && r.FirstResolvedAt < r.OpenedAt {
		d.flags.add(FlagResolvedBeforeOpened)
		return
	}
	if r.FirstResolvedAt != 0 {
		r.ResolutionWait, r.ResolutionOpen = Span(r.FirstResolvedAt-r.OpenedAt), k.calendar.Open(r.OpenedAt, r.FirstResolvedAt)
	}
	if r.LastResolvedAt != 0 {
		r.FullResolutionWait, r.FullResolutionOpen = Span(r.LastResolvedAt-r.OpenedAt), k.calendar.Open(r.OpenedAt, r.LastResolvedAt)
	}
}

// The JSON of Case.Details. Every list is in the order of time.
type (
	detailed struct {
		Tasks    []Task    `json:"tasks,omitempty"`
		Promises []Promise `json:"promises,omitempty"`
		Notes    []Note    `json:"notes,omitempty"`
		Gestures []Gesture `json:"gestures,omitempty"`

		Moderations []Moderation `json:"moderations,omitempty"`
	}
	// Moderation is a decision about what a customer published (R5).
	Moderation struct {
		Event    string `json:"event"`
		Action   string `json:"action,omitempty"`  // removed, hidden, demoted, suspended, kept; of an appeal upheld or restored
		Charter  string `json:"charter,omitempty"` // version of the charter
		Rule     string `json:"rule,omitempty"`    // of the charter
		Reason   string `json:"reason,omitempty"`
		Notice   string `json:"notice,omitempty"` // what the author was told
		By       string `json:"by,omitempty"`
		At       string `json:"at"`
		AppealOf string `json:"appealOf,omitempty"` // the decision that this one reviews
		Outcome  string `json:"outcome,omitempty"`  // what an appeal came to: upheld or restored
	}
	// Task is something to be done for a case.
	Task struct {
		Event       string `json:"event"`
		Text        string `json:"text"`
		By          string `json:"by,omitempty"`
		AddedAt     string `json:"addedAt"`
		DueAt       string `json:"dueAt,omitempty"`
		CompletedAt string `json:"completedAt,omitempty"`
	}
	// Promise is what the customer was told would happen by a date.
	Promise struct {
		Event    string `json:"event"`
		Text     string `json:"text"`
		By       string `json:"by,omitempty"`
		MadeAt   string `json:"madeAt"`
		DueAt    string `json:"dueAt,omitempty"`
		KeptAt   string `json:"keptAt,omitempty"`
		BrokenAt string `json:"brokenAt,omitempty"` // when it was said that it will not be kept
	}
	// Note is what an agent wrote down.
	Note struct {
		Event string `json:"event"`
		Text  string `json:"text"`
		By    string `json:"by,omitempty"`
		At    string `json:"at"`
	}
	// Gesture is what was granted.
	Gesture struct {
		Event    string `json:"event"`
		Kind     string `json:"kind,omitempty"`
		Amount   string `json:"amount,omitempty"`
		Currency string `json:"currency,omitempty"`
		Text     string `json:"text,omitempty"` // what it is, where a reason stands beside it
		Reason   string `json:"reason,omitempty"`
		By       string `json:"by,omitempty"`
		At       string `json:"at"`
	}
)

// State says how a promise stands at an instant: open, overdue, kept, late (kept after its date) or broken.
func (p *Promise) State(at schema.Instant) string {
	due, err := schema.ParseInstant(p.DueAt)
	dated := p.DueAt != "" && err == nil
	kept, err := schema.ParseInstant(p.KeptAt)
	switch {
	case p.BrokenAt != "":
		return "broken"
	case p.KeptAt == "" && dated && at > due:
		return "overdue"
	case p.KeptAt == "":
		return "open"
	case err == nil && dated && kept > due:
		return "late"
	}
	return "kept"
}

// ReadDetails reads the details of a case's row.
func ReadDetails(b []byte) (tasks []Task, promises []Promise, notes []Note, gestures []Gesture, err error) {
	if len(b) == 0 {
		return nil, nil, nil, nil, nil
	}
	var d detailed
	err = json.Unmarshal(b, &d)
	return d.Tasks, d.Promises, d.Notes, d.Gestures, err
}

// promises counts tasks, promises and gestures. What is completed or kept without naming which was the earliest open one.
func (d *dossier) promises(rules *Rules) {
	r := &d.row
	var out detailed
	type open struct {
		id   string
		own  string // the id of its event, by which it may be named, too
		due  schema.Instant
		at   int
		done bool
	}
	var tasks, promises []open
	finish := func(list []open, m *Contact) *open {
		id := cmp.Or(m.property(propID), m.Entity)
		for i := range list {
			if !list[i].done && (id == "" || list[i].id == id || list[i].own == id) {
				list[i].done = true
				return &list[i]
			}
		}
		return nil
	}
	instant := func(at schema.Instant) string {
		if at == 0 {
			return ""
		}
		return at.String()
	}
	var sums money
	contacts := 0
	var asked []schema.Instant
	for _, t := range d.threads {
		asked = append(asked, t.row.AskedAt...)
		if t.row.WaitingSince != 0 {
			asked = append(asked, t.row.WaitingSince)
		}
	}
	for _, m := range d.marks {
		if keepsCase(m.Type) {
			continue
		}
		id, at := cmp.Or(m.property(propID), m.Entity, m.ID.String()), m.At.String()
		switch m.Type {
		case schema.TypeTaskAdded:
			tasks = append(tasks, open{id: id, own: m.ID.String(), at: len(out.Tasks)})
			out.Tasks = append(out.Tasks, Task{Event: m.ID.String(), Text: m.Note, By: m.ActorID, AddedAt: at, DueAt: instant(m.due())})
		case schema.TypeTaskCompleted:
			if o := finish(tasks, m); o != nil {
				out.Tasks[o.at].CompletedAt = at
			}
		case schema.TypePromiseMade:
			due := m.due()
			if due == 0 {
				d.flags.add(FlagPromiseWithoutDate)
			}
			promises = append(promises, open{id: id, own: m.ID.String(), due: due, at: len(out.Promises)})
			out.Promises = append(out.Promises, Promise{Event: m.ID.String(), Text: m.Note, By: m.ActorID, MadeAt: at, DueAt: instant(due)})
		case schema.TypePromiseKept:
			if o := finish(promises, m); o != nil {
				out.Promises[o.at].KeptAt = at
				switch {
				case o.due == 0:
				case m.At <= o.due:
					r.PromisesKept++
				default:
					r.PromisesBroken++
				}
			}
		case schema.TypePromiseBroken:
			if o := finish(promises, m); o != nil {
				out.Promises[o.at].BrokenAt = at
				r.PromisesBroken++
			}
		case schema.TypeContentModerated:
			out.Moderations = d.moderate(out.Moderations, m)
		case schema.TypeNoteAdded:
			out.Notes = append(out.Notes, Note{Event: m.ID.String(), Text: m.Note, By: m.ActorID, At: at})
		case schema.TypeGestureGranted:
			r.Gestures++
			g := Gesture{Event: m.ID.String(), Kind: m.property(propKind), Amount: m.Amount, Currency: m.Currency, Reason: m.Note, By: m.ActorID, At: at}
			if why := m.property(propReason); why != "" {
				g.Text, g.Reason = g.Reason, why
			}
			if g.Kind != "" && slices.ContainsFunc(out.Gestures, func(x Gesture) bool { return strings.EqualFold(x.Kind, g.Kind) }) {
				d.flags.add(FlagGestureTwice)
			}
			out.Gestures = append(out.Gestures, g)
			if m.Amount != "" && !sums.add(m.Currency, m.Amount) {
				d.flags.add(FlagAmountNotANumber)
			}
			if rules.over(m) {
				d.flags.add(FlagOverCap)
			}
			before := 0
			for _, a := range asked {
				if a <= m.At {
					before++
				}
			}
			contacts = max(contacts, before)
		}
	}
	r.Tasks, r.Promises = uint32(len(tasks)), uint32(len(promises))
	for _, o := range tasks {
		if !o.done {
			r.TasksOpen++
		}
	}
	for _, o := range promises {
		if !o.done && o.due != 0 && (r.PromiseDue == 0 || o.due < r.PromiseDue) {
			r.PromiseDue = o.due
		}
	}
	r.GestureCurrencies, r.GestureAmounts = sums.list()
	switch {
	case r.Gestures == 0:
	case contacts <= 1:
		r.OnceAndDone = Yes
	default:
		r.OnceAndDone = No
	}
	if len(tasks)+len(promises)+len(out.Notes)+len(out.Gestures)+len(out.Moderations) > 0 {
		details, err := json.Marshal(out)
		if err != nil {
			panic(err) // Unreachable: the types marshal
		}
		r.Details = details
	}
}

// moderate adds a decision about content to those before it, and tells the one that it reviews.
func (d *dossier) moderate(list []Moderation, m *Contact) []Moderation {
	out := Moderation{
		Event: m.ID.String(), Action: strings.ToLower(m.property(propAction)), Charter: m.property(propCharter), Rule: m.property(propRule),
		Reason: cmp.Or(m.property(propReason), m.Note), Notice: m.property(propNotice), By: m.ActorID, At: m.At.String(), AppealOf: m.property(propAppeal),
	}
	for i := range list {
		if out.AppealOf != "" && list[i].Event == out.AppealOf {
			list[i].Outcome = out.Action
		}
	}
	if out.Charter == "" || out.Rule == "" {
		d.flags.add(FlagModerationUnfounded)
	}
	switch out.Action {
	case "removed", "hidden", "demoted", "suspended":
		if out.Notice == "" {
			d.flags.add(FlagModerationUntold)
		}
	}
	return append(list, out)
}

// Moderations are the decisions about content in the details of a case's row.
func Moderations(b []byte) ([]Moderation, error) {
	if len(b) == 0 {
		return nil, nil
	}
	var d detailed
	err := json.Unmarshal(b, &d)
	return d.Moderations, err
}

// over says whether a gesture is above the limit of its agent's role.
func (r *Rules) over(m *Contact) bool {
	limit, is := r.Limits[m.property(propRole)]
	if !is {
		limit, is = r.Limits[""]
	}
	if !is || m.Amount == "" {
		return false
	}
	amount, ok := decimal(m.Amount)
	most, ok2 := decimal(limit)
	return ok && ok2 && amount.Cmp(most) > 0
}

// weigh says how critical the case is, by what its sources say (B7), and how far its public words reach.
func (d *dossier) weigh() {
	r := &d.row
	reason := func(name string, criticality float64) {
		r.Criticality = max(r.Criticality, criticality)
		if at, found := slices.BinarySearch(r.CriticalityReasons, name); !found {
			r.CriticalityReasons = slices.Insert(r.CriticalityReasons, at, name)
		}
	}
	see := func(c *Contact) {
		for _, grave := range [...]struct {
			p    property
			name string
		}{{propSafety, "safety"}, {propLegal, "legal"}, {propVulnerable, "vulnerability"}} {
			if c.says(grave.p) == Yes {
				reason(grave.name, 1)
			}
		}
		if text := c.property(propCriticality); text != "" {
			if stated, err := strconv.ParseFloat(text, 64); err == nil && stated >= 0 && stated <= 1 {
				reason("stated", stated)
			}
		}
		if c.Said != nil {
			for name, criticality := range gravity(c.Said) {
				reason(name, criticality)
			}
		}
	}
	for _, t := range d.threads {
		for _, c := range t.contacts {
			see(c)
		}
	}
	for _, m := range d.marks {
		see(m)
	}
	r.Influence = d.influence()
	switch strings.ToLower(r.Priority) {
	case "urgent", "critical", "p1":
		reason("priority", .8)
	case "high", "haute", "p2":
		reason("priority", .6)
	case "normal", "medium", "p3":
		reason("priority", .3)
	case "low", "basse", "p4":
		reason("priority", .1)
	}
	if r.Complaint {
		reason("complaint", .5)
	}
}

// influence is how far the customer's public posts in the case are carried: of several people's the furthest. Each post counts by its latest version.
func (d *dossier) influence() float64 {
	var posts map[schema.ProfileID]map[string]int64
	heard := map[schema.ProfileID]bool{}
	for _, t := range d.threads {
		if t.row.Kind != "public" {
			continue
		}
		for _, c := range t.contacts { // ascending
			if c.Actor != schema.ActorCustomer {
				continue
			}
			if c.Type == schema.TypeMentionPublished && (c.Mention != "" || c.property(propBrand) != "") {
				if posts == nil {
					posts = map[schema.ProfileID]map[string]int64{}
				}
				if posts[c.Persona] == nil {
					posts[c.Persona] = map[string]int64{}
				}
				posts[c.Persona][cmp.Or(c.Entity, string(c.ID[:]))] = crowd(c.property(propAudience))[countAmplification]
			}
			heard[c.Persona] = true
		}
	}
	most := 0.0
	for _, of := range posts { // a maximum: the order changes nothing
		most = max(most, reputation.Influence(slices.Collect(maps.Values(of)), len(heard)-1))
	}
	return math.Round(most*1e6) / 1e6
}

// merge follows case.merged: a merged case waits for nothing, and what its conversations still ask is asked of the case that it went into.
func (f *fold) merge() {
	if !slices.ContainsFunc(f.marks, func(m *Contact) bool { return m.Type == schema.TypeCaseMerged }) {
		return
	}
	into := map[*dossier]*dossier{}
	for _, d := range f.cases {
		for _, m := range d.marks { // ascending: the latest counts
			if m.Type != schema.TypeCaseMerged || m.Case != d.key.number {
				continue
			}
			if key, _, ok := f.keyOf(m, m.property(propMergedInto)); ok && f.cases[key] != nil && f.cases[key] != d {
				into[d] = f.cases[key]
			}
		}
	}
	last := func(d *dossier) *dossier { // nil if it goes round
		at := d
		for range len(into) + 1 {
			next := into[at]
			if next == nil {
				return at
			}
			at = next
		}
		return nil
	}
	type move struct{ from, to *dossier }
	var moves []move
	for d := range into {
		if to := last(d); to != nil {
			moves = append(moves, move{d, to})
		} else {
			d.flags.add(FlagCircularMerge)
		}
	}
	for _, m := range moves { // minima only: the order changes nothing
		from, to := &m.from.row, &m.to.row
		from.State, from.MergedInto = "merged", to.ID
		if from.WaitingSince != 0 && to.State != "resolved" && (to.WaitingSince == 0 || from.WaitingSince < to.WaitingSince) {
			to.WaitingSince = from.WaitingSince
			if to.State == "answered" || to.State == "waiting" {
				to.State = "open"
			}
		}
		if from.NextReplyDue != 0 && to.State != "resolved" && (to.NextReplyDue == 0 || from.NextReplyDue < to.NextReplyDue) {
			to.NextReplyDue = from.NextReplyDue
		}
		from.WaitingSince, from.NextReplyDue, from.ResolutionDue = 0, 0, 0
	}
}
