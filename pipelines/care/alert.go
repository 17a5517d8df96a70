package care

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
)

// The rules by which an alert is raised.
const (
	AlertDeadlineNear   = "deadline_near"
	AlertDeadlineMissed = "deadline_missed"
	AlertComplaint      = "complaint_unanswered"
	AlertPromiseMissed  = "promise_missed"
	AlertSpike          = "spike"
	AlertMentions       = "mentions_spike" // of posts about a brand; in a crisis it is not raised
	AlertCrisis         = "crisis"
	AlertCrisisOver     = "crisis_over"
)

// AlertRules lists the rules.
func AlertRules() []string {
	return []string{AlertDeadlineNear, AlertDeadlineMissed, AlertComplaint, AlertPromiseMissed, AlertSpike, AlertMentions, AlertCrisis, AlertCrisisOver}
}

// AlertSettings are when alerts are raised.
type AlertSettings struct {
	Near      Span // before a deadline; 0 is never
	Complaint Span // open time for which a complaint waits for a human; 0 is never
	Fresh     Span // what came true longer ago is no news, and raises none: after a long stop, or when history is imported
	Spike     SpikeSettings
	Webhooks  []AlertWebhook
}

// AlertWebhook is where alerts are sent.
type AlertWebhook struct {
	Name    string
	URL     string
	Secrets []string // secret:NAME
	Rules   []string // empty is all
	Private bool     // within one's own network
}

// Wants says whether an alert of a rule is sent there.
func (w *AlertWebhook) Wants(rule string) bool {
	return len(w.Rules) == 0 || slices.Contains(w.Rules, rule)
}

// DefaultAlerts are 15 minutes before a deadline, a complaint after four hours (R2's norm), and nothing that is older than a day.
func DefaultAlerts() AlertSettings {
	return AlertSettings{Near: 15 * minute, Complaint: 4 * hour, Fresh: 24 * hour, Spike: DefaultSpike()}
}

// Alert is that something needs attention, with what explains it. It is a decision: once raised it stands, whatever comes to light of the case later.
// It names nobody: the case by an event, which an erasure makes mean nothing.
//
// Its JSON is what the topic decisions, the table and webhooks carry.
type Alert struct {
	ID       schema.EventID `json:"-"` // zero before Identify
	Rule     string         `json:"rule"`
	Case     schema.EventID `json:"-"`
	At       schema.Instant `json:"-"`            // when its condition came true
	Since    schema.Instant `json:"-"`            // from when on was counted; 0 if nothing was
	Due      schema.Instant `json:"-"`            // the deadline; 0 if there is none
	Of       string         `json:"of,omitempty"` // of a deadline: reply or resolution
	Calendar string         `json:"calendar,omitempty"`
	Rules    string         `json:"rules"` // version of the rules of care
	Channel  string         `json:"channel,omitempty"`
	Team     string         `json:"team,omitempty"`
	Brand    string         `json:"brand,omitempty"`
	Theme    string         `json:"theme,omitempty"`

	// Of a spike; of a crisis what was counted from Since on, and the last five minutes that were an alert.
	Count  uint32  `json:"count,omitempty"`  // contacts or posts in the bucket that ends at At
	Median float64 `json:"median,omitempty"` // of the buckets before
	Spread float64 `json:"spread,omitempty"` // their median absolute deviation, as a standard deviation
	Z      float64 `json:"z,omitempty"`

	Unfavourable uint32 `json:"unfavourable,omitempty"` // of posts about a brand: of count

	name string // of the case or the channel, as its id needs it
}

// alertJSON is an Alert with its ids and instants.
type alertJSON struct {
	ID    string `json:"id"`
	Case  string `json:"case,omitempty"`
	At    string `json:"at"`
	Since string `json:"since,omitempty"`
	Due   string `json:"dueAt,omitempty"`
	*alertFields
}

type alertFields Alert

// MarshalJSON writes an alert.
func (a Alert) MarshalJSON() ([]byte, error) {
	fields := alertFields(a)
	out := alertJSON{ID: a.ID.String(), At: a.At.String(), alertFields: &fields}
	if !a.Case.IsZero() {
		out.Case = a.Case.String()
	}
	if a.Since != 0 {
		out.Since = a.Since.String()
	}
	if a.Due != 0 {
		out.Due = a.Due.String()
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (a *Alert) UnmarshalJSON(b []byte) (err error) {
	fields := alertFields{}
	in := alertJSON{alertFields: &fields}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*a = Alert(fields)
	if a.ID, err = schema.ParseEventID(in.ID); err != nil {
		return fmt.Errorf("id of an alert: %w", err)
	}
	if in.Case != "" {
		if a.Case, err = schema.ParseEventID(in.Case); err != nil {
			return fmt.Errorf("case of an alert: %w", err)
		}
	}
	for _, t := range []struct {
		text string
		into *schema.Instant
	}{{in.At, &a.At}, {in.Since, &a.Since}, {in.Due, &a.Due}} {
		if t.text == "" {
			continue
		}
		if *t.into, err = schema.ParseInstant(t.text); err != nil {
			return fmt.Errorf("a time of an alert: %w", err)
		}
	}
	return nil
}

// Identify names an alert that Alerts or Spike gave by what it is about, so that the same is never raised twice: whoever raises it, and whenever.
func (a *Alert) Identify() schema.EventID {
	h := sha256.New()
	for _, p := range []string{"alert", a.Rule, a.Of, a.name, a.Since.String(), a.Due.String()} {
		fmt.Fprintf(h, "%d:%s", len(p), p) // it never fails
	}
	copy(a.ID[:], h.Sum(nil))
	a.ID[6], a.ID[8] = a.ID[6]&0x0f|0x80, a.ID[8]&0x3f|0x80 // UUIDv8
	return a.ID
}

// Alerts are those that a case comes to if nothing happens to it, in the order of time: those whose At has passed and those to come.
func (r *Rules) Alerts(c *Case) (list []Alert) {
	switch c.State {
	case "resolved", "merged", "answered":
		return nil
	}
	name := c.ID.String()
	if c.Number != "" {
		name = c.Source + "\x00" + c.Number
	}
	add := func(a Alert) {
		a.name, a.Case, a.Rules, a.Channel, a.Team, a.Brand, a.Theme = name, c.ID, r.Version, c.Channel, c.Team, c.Brand, c.Theme
		list = append(list, a)
	}
	deadline := func(of string, since, due schema.Instant) {
		if due == 0 {
			return
		}
		if near := schema.Instant(r.Alert.Near); near > 0 {
			add(Alert{Rule: AlertDeadlineNear, Of: of, Since: since, Due: due, At: max(since, due-near), Calendar: c.Calendar})
		}
		add(Alert{Rule: AlertDeadlineMissed, Of: of, Since: since, Due: due, At: due + 1, Calendar: c.Calendar}) // in time is up to and with the deadline
	}
	if c.WaitingSince != 0 {
		deadline("reply", c.WaitingSince, c.NextReplyDue)
	}
	deadline("resolution", c.OpenedAt, c.ResolutionDue)
	if c.Complaint && c.WaitingSince != 0 && r.Alert.Complaint > 0 {
		if due := r.clocks(c.Channel, c.Priority, c.Tier, c.Brand, c.Team).due(c.WaitingSince, r.Alert.Complaint); due != 0 {
			add(Alert{Rule: AlertComplaint, Since: c.WaitingSince, Due: due, At: due, Calendar: c.Calendar})
		}
	}
	if c.PromiseDue != 0 {
		add(Alert{Rule: AlertPromiseMissed, Due: c.PromiseDue, At: c.PromiseDue + 1})
	}
	slices.SortStableFunc(list, func(a, b Alert) int { return cmp.Compare(a.At, b.At) })
	return list
}

// Explain says in one sentence why an alert was raised, in French (fr) or English.
func (a *Alert) Explain(language string) string {
	fr := strings.HasPrefix(language, "fr")
	say := func(french, english string) string {
		if fr {
			return french
		}
		return english
	}
	calendar := a.Calendar
	if calendar == "always" || calendar == "" {
		calendar = say("en continu", "around the clock")
	} else {
		calendar = say("selon le calendrier ", "by the calendar ") + calendar
	}
	of := say("de résolution", "of resolution")
	if a.Of == "reply" {
		of = say("de réponse", "of reply")
	}
	switch a.Rule {
	case AlertDeadlineNear:
		return fmt.Sprintf(say("L'échéance %s est proche : comptée depuis %s, %s, elle tombe à %s.", "The deadline %s is near: counted from %s, %s, it falls at %s."), of, a.Since, calendar, a.Due)
	case AlertDeadlineMissed:
		return fmt.Sprintf(say("L'échéance %s est dépassée : comptée depuis %s, %s, elle tombait à %s.", "The deadline %s was missed: counted from %s, %s, it fell at %s."), of, a.Since, calendar, a.Due)
	case AlertComplaint:
		return fmt.Sprintf(say("Une réclamation attend une personne depuis %s ; le délai, compté %s, s'est écoulé à %s.", "A complaint has waited for a human since %s; the time allowed, counted %s, was over at %s."), a.Since, calendar, a.Due)
	case AlertPromiseMissed:
		return fmt.Sprintf(say("Une promesse faite au client devait être tenue avant %s, et personne ne dit qu'elle l'a été.", "What was promised to the customer by %s is not said to have been done."), a.Due)
	case AlertSpike:
		return fmt.Sprintf(say("%d prises de contact (%s) jusqu'à %s, contre %.4g d'habitude (médiane ; écart %.4g) : z robuste %.1f.",
			"%d conversations (%s) up to %s, against %.4g as a rule (median; spread %.4g): robust z %.1f."), a.Count, a.Channel, a.At, a.Median, a.Spread, a.Z)
	}
	switch a.Rule {
	case AlertMentions:
		return fmt.Sprintf(say("%d publications sur %s en cinq minutes jusqu'à %s, contre %.4g d'habitude : z robuste %.1f ; %d sont défavorables.",
			"%d posts about %s in the five minutes up to %s, against %.4g as a rule: robust z %.1f; %d are unfavourable."), a.Count, a.Brand, a.At, a.Median, a.Z, a.Unfavourable)
	case AlertCrisis:
		return fmt.Sprintf(say("Crise : %s, depuis %s. %d publications, dont %d défavorables ; z robuste %.1f. Suivre le scénario préparé, et répondre d'une seule voix.",
			"Crisis: %s, since %s. %d posts, of which %d are unfavourable; robust z %.1f. Follow the scenario that was prepared, and answer with one voice."), a.Brand, a.Since, a.Count, a.Unfavourable, a.Z)
	case AlertCrisisOver:
		return fmt.Sprintf(say("La crise de %s, depuis %s, est finie à %s : %d publications, dont %d défavorables.", "The crisis of %s, since %s, is over at %s: %d posts, of which %d were unfavourable."),
			a.Brand, a.Since, a.At, a.Count, a.Unfavourable)
	}
	return a.Rule
}
