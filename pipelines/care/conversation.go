package care

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/dossier-cdp/dossier/schema"
)

// attributes are what a row says about its subject.
type attributes struct {
	brand, team, queue, store, theme, tier, priority, language, country *string
}

// take fills what is empty from a contact.
func (a attributes) take(c *Contact) {
	for _, field := range [...]struct {
		into *string
		from string
	}{
		{a.brand, c.property(propBrand)}, {a.team, c.property(propTeam)}, {a.queue, c.property(propQueue)}, {a.store, c.property(propStore)},
		{a.theme, c.property(propTheme)}, {a.tier, c.property(propTier)}, {a.priority, c.property(propPriority)}, {a.language, c.Language}, {a.country, c.Country},
	} {
		if field.into != nil && *field.into == "" {
			*field.into = field.from
		}
	}
}

func (r *Conversation) attributes() attributes {
	return attributes{&r.Brand, &r.Team, &r.Queue, &r.Store, &r.Theme, &r.Tier, &r.Priority, &r.Language, &r.Country}
}

func (r *Case) attributes() attributes {
	return attributes{&r.Brand, &r.Team, &r.Queue, &r.Store, &r.Theme, &r.Tier, &r.Priority, &r.Language, &r.Country}
}

// inherit takes from the case what the conversation does not say itself.
func (t *thread) inherit(c *Case) {
	r := &t.row
	for _, field := range [...]struct {
		into *string
		from string
	}{
		{&r.Brand, c.Brand}, {&r.Team, c.Team}, {&r.Queue, c.Queue}, {&r.Store, c.Store}, {&r.Theme, c.Theme}, {&r.Tier, c.Tier}, {&r.Priority, c.Priority},
		{&r.Language, c.Language}, {&r.Country, c.Country},
	} {
		if *field.into == "" {
			*field.into = field.from
		}
	}
}

// fold makes the row of a conversation from its contacts, which are ascending.
func (t *thread) fold(rules *Rules) {
	first := t.contacts[0]
	t.row = Conversation{
		ID: first.ID, Persona: first.Persona, Source: first.Source, Channel: first.Channel.String(), Initiator: first.Actor.String(), Kind: "messages",
		OpenedAt: first.At, LastAt: t.contacts[len(t.contacts)-1].At, Events: uint32(len(t.contacts)),
		FirstReplyWait: NoSpan, FirstReplyOpen: NoSpan, QueueWait: NoSpan, Talk: NoSpan, Hold: NoSpan, Wrap: NoSpan, Handling: NoSpan,
	}
	r := &t.row
	customer := false
	for _, c := range t.contacts {
		if n := len(r.Personas); n == 0 || r.Personas[n-1] != c.Persona {
			r.Personas = append(r.Personas, c.Persona)
		}
		if channel := c.Channel.String(); !slices.Contains(r.Channels, channel) {
			r.Channels = append(r.Channels, channel)
		}
		if c.Thread != "" && r.Thread == "" {
			r.Thread = c.Thread
		}
		if c.Actor == schema.ActorCustomer && !customer {
			customer, r.Persona, r.Channel = true, c.Persona, c.Channel.String()
		}
		r.attributes().take(c)
		if flag := c.says(propFirstContact); flag != Unknown {
			r.ResolvedFlag = flag
		}
		if flag := c.says(propResolvable); flag != Unknown {
			r.Resolvable = flag
		}
	}
	slices.SortFunc(r.Personas, schema.ProfileID.Compare)
	r.Personas = slices.Compact(r.Personas)
	slices.Sort(r.Channels)
	t.name()

	w := walk{t: t, r: r, handover: t.handover()}
	for _, c := range t.contacts {
		w.step(c)
	}
	if isCall(first.Type) || r.Kind == "callback" {
		t.voice()
	}
	t.chat(rules)
	r.WaitingSince = w.asked
	slices.Sort(r.Agents)
	r.Agents = slices.Compact(r.Agents)
	r.hear(t.contacts)
	t.clock(rules)
	t.outcome(&w, rules)
}

// name says of what kind the conversation is.
func (t *thread) name() {
	r, bot := &t.row, true
	for _, c := range t.contacts {
		if c.Channel != schema.ChannelBot || c.human() {
			bot = false
		}
		switch {
		case c.Channel == schema.ChannelForum:
			r.Kind = "forum"
		case c.Type == schema.TypeMentionPublished || c.Type == schema.TypeReviewPublished:
			r.Kind = "public"
		case isCall(c.Type) && r.Kind == "messages":
			r.Kind = "call"
		}
	}
	for _, c := range t.contacts {
		if c.Channel == schema.ChannelCallback || c.says(propCallback) == Yes {
			r.Kind = "callback"
		}
	}
	if bot {
		r.Kind = "bot"
	} else if r.Channel == "bot" {
		r.Channel = "chat"
	}
}

// handover is when a conversation with a bot became one with humans: when it says so, or when the customer first wrote on another
// channel than the bot's; else the customer's last word to the bot before the first human. It is never for a bot alone.
func (t *thread) handover() schema.Instant {
	never := schema.Instant(math.MaxInt64)
	human, stated, bot := never, never, false
	for _, c := range t.contacts {
		bot = bot || c.Channel == schema.ChannelBot
		if c.human() && !c.private() {
			human = min(human, c.At)
		}
		if c.says(propHandover) == Yes || c.Actor == schema.ActorCustomer && c.Channel != schema.ChannelBot {
			stated = min(stated, c.At)
		}
	}
	switch {
	case !bot:
		return math.MinInt64
	case stated < human:
		return stated
	case human == never:
		return never
	}
	last := human
	for _, c := range t.contacts {
		if c.Actor == schema.ActorCustomer && c.At <= human {
			last = c.At
		}
	}
	return last
}

// walk goes through a conversation with the clock of its humans.
type walk struct {
	t        *thread
	r        *Conversation
	handover schema.Instant
	asked    schema.Instant // the earliest word that no human has answered; 0 if there is none
	called   bool           // a call was given up without having been answered
}

func (w *walk) ask(at schema.Instant) {
	if w.r.FirstInboundAt == 0 {
		w.r.FirstInboundAt = at
	}
	w.r.LastInboundAt = at
	if w.asked == 0 {
		w.asked = at
	}
}

// reply is a public word of a human.
func (w *walk) reply(c *Contact) {
	r := w.r
	r.Outbound++
	if c.ActorID != "" {
		r.Agents = append(r.Agents, c.ActorID)
	}
	if r.FirstInboundAt != 0 {
		if r.FirstReplyAt == 0 {
			r.FirstReplyAt, r.FirstAgent = c.At, c.ActorID
			r.FirstReplyWait = Span(c.At - r.FirstInboundAt)
		}
		r.LastReplyAt = c.At
	}
	if w.asked != 0 {
		r.AskedAt, r.RepliedAt = append(r.AskedAt, w.asked), append(r.RepliedAt, c.At)
		w.asked = 0
	}
}

func (w *walk) step(c *Contact) {
	r := w.r
	outgoing := c.property(propDirection) == "outbound" || c.property(propDirection) == "out"
	switch {
	case c.private(): // nobody outside hears it
	case c.Actor == schema.ActorBot || c.Actor == schema.ActorSystem && !isCall(c.Type) || c.Automatic:
		r.Automatic++
		if r.FirstAutomaticAt == 0 && c.Actor != schema.ActorCustomer {
			r.FirstAutomaticAt = c.At
		}
	case isCall(c.Type):
		w.call(c, outgoing)
	case c.human():
		w.reply(c)
		if r.Kind == "forum" && r.FirstStaffAt == 0 && c != w.t.contacts[0] {
			r.FirstStaffAt = c.At
		}
		w.accepted(c)
	default:
		w.hear(c)
	}
}

// accepted notes that an answer was accepted.
func (w *walk) accepted(c *Contact) {
	if w.r.Kind == "forum" && c.says(propAccepted) == Yes && w.r.AcceptedAt == 0 {
		w.r.AcceptedAt = c.At
	}
}

// hear is a word of a customer.
func (w *walk) hear(c *Contact) {
	r := w.r
	r.Inbound++
	w.accepted(c)
	if r.Kind == "forum" && c != w.t.contacts[0] && c.Persona != w.t.contacts[0].Persona {
		if r.FirstPeerAt == 0 {
			r.FirstPeerAt = c.At
		}
		return // another customer asks nothing of us here
	}
	if c.Thanks {
		r.Thanks++
		if r.FirstReplyAt != 0 || r.Outbound > 0 || r.Automatic > 0 {
			if w.asked == 0 {
				r.LastInboundAt = c.At
				return
			}
		}
	}
	if c.At < w.handover { // said to a bot
		return
	}
	if c.Type == schema.TypeMentionPublished && c.Mention == "" { // it speaks to nobody of ours
		return
	}
	if c.Type == schema.TypeReviewPublished { // it may be answered, and does not wait for it
		w.r.FirstInboundAt, w.r.LastInboundAt = cmp.Or(w.r.FirstInboundAt, c.At), c.At
		return
	}
	w.ask(c.At)
}

// call is a step of a telephone call.
func (w *walk) call(c *Contact, outgoing bool) {
	r := w.r
	set := func(into *schema.Instant) {
		if *into == 0 {
			*into = c.At
		}
	}
	switch c.Type {
	case schema.TypeCallOffered, schema.TypeCallQueued:
		set(&r.OfferedAt)
		if !outgoing && c.Type == schema.TypeCallOffered {
			r.Inbound++
			w.ask(c.At)
		}
	case schema.TypeCallAnswered:
		set(&r.AnsweredAt)
		if outgoing && c.Actor == schema.ActorCustomer {
			return
		}
		if r.OfferedAt == 0 && !outgoing && r.FirstInboundAt == 0 { // the source tells of answered calls alone
			r.Inbound++
			wait := seconds(c, propWait, &w.t.flags)
			w.ask(c.At - schema.Instant(max(0, wait)))
		}
		w.reply(c)
	case schema.TypeCallAbandoned:
		set(&r.AbandonedAt)
		if r.FirstInboundAt == 0 && !outgoing {
			r.Inbound++
			w.ask(c.At - schema.Instant(max(0, seconds(c, propWait, &w.t.flags))))
		}
		if r.Kind != "callback" && c.says(propVoicemail) != Yes {
			w.asked, w.called = 0, true // nobody is on the line
		}
	case schema.TypeCallEnded:
		r.EndedAt = max(r.EndedAt, c.At)
		if c.ActorID != "" && c.human() {
			r.Agents = append(r.Agents, c.ActorID)
		}
	case schema.TypeCallTransferred:
		r.Transfers++
	}
}

// seconds reads a stated duration; NoSpan if there is none, or it cannot be.
func seconds(c *Contact, p property, f *flags) Span {
	text := c.property(p)
	if text == "" {
		return NoSpan
	}
	s, err := strconv.ParseFloat(text, 64)
	const most = 30 * 24 * 3600
	switch {
	case err != nil || math.IsNaN(s) || s > most:
		f.add(FlagDurationOutOfRange)
		return NoSpan
	case s < 0:
		f.add(FlagNegativeDuration)
		return NoSpan
	}
	return Span(math.Round(s * 1e6))
}

// voice makes the spans of a call. What the source states counts before what the events' times say.
func (t *thread) voice() {
	r := &t.row
	stated := func(p property) Span {
		total := NoSpan
		for _, c := range t.contacts {
			if s := seconds(c, p, &t.flags); s != NoSpan {
				total = max(0, total) + s
			}
		}
		return total
	}
	between := func(from, to schema.Instant) Span {
		if from == 0 || to == 0 {
			return NoSpan
		}
		if to < from {
			t.flags.add(FlagEndBeforeStart)
			return NoSpan
		}
		return Span(to - from)
	}
	r.QueueWait = between(r.OfferedAt, cmp.Or(r.AnsweredAt, r.AbandonedAt))
	if r.QueueWait == NoSpan {
		for _, c := range t.contacts {
			if c.Type == schema.TypeCallAnswered || c.Type == schema.TypeCallAbandoned {
				if s := seconds(c, propWait, &t.flags); s != NoSpan {
					r.QueueWait = s
					break
				}
			}
		}
	}
	r.Hold, r.Wrap = stated(propHold), stated(propWrap)
	if r.Talk = stated(propTalk); r.Talk == NoSpan {
		if r.Talk = between(r.AnsweredAt, r.EndedAt); r.Talk != NoSpan && r.Hold != NoSpan {
			r.Talk = max(0, r.Talk-r.Hold)
		}
	} else if r.EndedAt != 0 && r.AnsweredAt != 0 {
		between(r.AnsweredAt, r.EndedAt) // flags it
	}
	if r.EndedAt != 0 && r.OfferedAt != 0 && r.EndedAt < r.OfferedAt {
		t.flags.add(FlagEndBeforeStart)
	}
	if r.Talk != NoSpan && r.AnsweredAt != 0 {
		r.Handling = r.Talk + max(0, r.Hold) + max(0, r.Wrap)
	}
}

// chat gives the time that an agent spent on a chat: as stated, else from the first to the last word of a human, without the silences beyond ChatIdle, in
// which nobody works on it; each stretch between two words is shared among the chats that the source says go on at once by then (B2: focus intervals over
// concurrency).
func (t *thread) chat(rules *Rules) {
	r := &t.row
	stated := NoSpan
	type word struct {
		at     schema.Instant
		human  bool
		atOnce float64
	}
	var words []word
	atOnce := 1.0
	for _, c := range t.contacts {
		if s := seconds(c, propHandling, &t.flags); s != NoSpan {
			stated = max(0, stated) + s
		}
		if text := c.property(propConcurrency); text != "" {
			if n, err := strconv.ParseFloat(text, 64); err == nil && n >= 1 && n < 1000 {
				atOnce = n
			}
		}
		if c.private() || c.Automatic || c.Actor == schema.ActorBot || c.Actor == schema.ActorSystem || c.Channel != schema.ChannelChat {
			continue
		}
		words = append(words, word{c.At, c.human(), atOnce})
	}
	if stated != NoSpan {
		r.Handling = stated
		return
	}
	first := slices.IndexFunc(words, func(w word) bool { return w.human })
	if r.Channel != "chat" || first < 0 {
		return
	}
	last := len(words) - 1
	for !words[last].human {
		last--
	}
	if words[first].at == words[last].at {
		return // one word: how long it took cannot be told
	}
	total := 0.0
	for i := first + 1; i <= last; i++ {
		if between := Span(words[i].at - words[i-1].at); between <= rules.ChatIdle {
			total += float64(between) / words[i].atOnce
		}
	}
	r.Handling = Span(math.Round(total))
}

// clock makes the deadlines, and the waits within open hours.
func (t *thread) clock(rules *Rules) {
	r := &t.row
	since := func(at schema.Instant) clocks {
		return rules.At(at).clocks(r.Channel, r.Priority, r.Tier, r.Brand, r.Team)
	}
	k := since(cmp.Or(r.FirstInboundAt, r.OpenedAt))
	r.Calendar = k.version()
	if r.FirstInboundAt == 0 {
		return
	}
	r.FirstReplyDue = k.due(r.FirstInboundAt, k.FirstReply)
	if r.FirstReplyAt != 0 {
		r.FirstReplyOpen = k.calendar.Open(r.FirstInboundAt, r.FirstReplyAt)
	}
	for i, asked := range r.AskedAt {
		k := since(asked)
		target := k.NextReply
		if i == 0 {
			target = k.FirstReply
		}
		r.ReplyDue = append(r.ReplyDue, k.due(asked, target))
		r.ReplyOpen = append(r.ReplyOpen, k.calendar.Open(asked, r.RepliedAt[i]))
	}
	if r.WaitingSince != 0 {
		k := since(r.WaitingSince)
		target := k.NextReply
		if r.FirstReplyAt == 0 {
			target = k.FirstReply
		}
		r.NextReplyDue = k.due(r.WaitingSince, target)
	}
	if r.AbandonedAt != 0 && r.FirstReplyAt == 0 && r.WaitingSince == 0 {
		r.FirstReplyDue = 0 // nobody is there to answer
	}
}

// outcome says how it stands.
func (t *thread) outcome(w *walk, rules *Rules) {
	r := &t.row
	voicemail := slices.ContainsFunc(t.contacts, func(c *Contact) bool { return c.says(propVoicemail) == Yes })
	switch {
	case r.Kind == "bot":
		r.Outcome = "contained"
	case r.Kind == "callback" && r.FirstReplyAt == 0:
		r.Outcome = "callback"
	case r.Kind == "call" && voicemail && w.asked != 0:
		r.Outcome = "voicemail"
	case w.called && r.FirstReplyAt == 0:
		if r.Outcome = "abandoned"; r.QueueWait != NoSpan && r.QueueWait < rules.ShortAbandon {
			r.Outcome = "short_abandon"
		}
	case w.asked != 0 && r.Kind == "call":
		r.Outcome = "open"
	case w.asked != 0:
		r.Outcome = "waiting"
	case r.FirstReplyAt != 0:
		r.Outcome = "answered"
	case r.FirstInboundAt != 0: // a review without an answer
		r.Outcome = "unanswered"
	case r.Inbound > 0 && r.Automatic > 0:
		r.Outcome = "contained"
	default:
		r.Outcome = "outbound"
	}
}
