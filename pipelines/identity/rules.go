package identity

import (
	"fmt"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/identifier"
	"github.com/dossier-cdp/dossier/schema"
)

// Strength is what a shared value of a kind can do.
type Strength string

// The strengths, strongest first.
const (
	// Core: a value names one person. Verified on both sides it joins in stratum 0; in client trust it attaches.
	Core Strength = "core"
	// Merge: a verified value may join two known people whose given names agree; a declared one attaches.
	Merge Strength = "merge"
	// Attach: a value joins only an unknown persona, and only to the one component that claims it.
	Attach Strength = "attach"
	// None: a value is kept and shown, and joins nothing.
	None Strength = "none"
)

// KindRule says what values of one identifier kind mean. The order of the rules is the kinds' priority.
type KindRule struct {
	Kind     string   `yaml:"kind" json:"kind"`
	Strength Strength `yaml:"strength" json:"strength"`
	// Unique: one person has one value, so a joint that would bring two together is refused, unless one is superseded by the other.
	Unique bool `yaml:"unique,omitempty" json:"unique,omitempty"`
	// UnlessNamed: two who carry the same full name may have two values after all, in stratum 1: real people lose cards and open
	// second accounts.
	UnlessNamed bool `yaml:"unlessNamed,omitempty" json:"unlessNamed,omitempty"`
	// FullName: in stratum 1 the family names must agree too: several people of one given name live in one house.
	FullName bool `yaml:"fullName,omitempty" json:"fullName,omitempty"`
	// Lent: people lend it to each other. In stratum 0 too it joins nobody whose given names differ.
	Lent bool `yaml:"lent,omitempty" json:"lent,omitempty"`
	// PerSource: uniqueness holds within a source; values that no source has in common do not conflict.
	PerSource bool `yaml:"perSource,omitempty" json:"perSource,omitempty"`
	// WindowDays: two values conflict only if the times in which they were seen come within so many days of each other; 0 is ever.
	WindowDays int `yaml:"windowDays,omitempty" json:"windowDays,omitempty"`
	// Limit: how many values of the kind a profile may gather by joints; 0 is no limit. A value of another kind that has more
	// than twice as many of them beside it is no one person's, and joins nobody.
	Limit int `yaml:"limit,omitempty" json:"limit,omitempty"`

	weighed bool // see Rules.Weighing
}

// Rules are the identity rules of a workspace. The zero value is not useful: start from DefaultRules. They are read-only once
// in use; Prepare must have been called.
type Rules struct {
	Kinds []KindRule `yaml:"kinds" json:"kinds"`
	// GenericDegree: a value beside more distinct people than this is no evidence (HubState).
	GenericDegree int `yaml:"genericDegree" json:"genericDegree"`
	// HubSize: a value with more carriers than this is no evidence, whoever they are.
	HubSize int `yaml:"hubSize" json:"hubSize"`
	// QuarantineSize: a component of evidence with more personas than this is resolved to its cores only.
	QuarantineSize int `yaml:"quarantineSize" json:"quarantineSize"`
	// GivenNames: a different given name on both sides forbids a joint in stratum 1.
	GivenNames bool `yaml:"givenNames" json:"givenNames"`
	// BirthDates: a clearly different birth date on both sides forbids a joint in stratum 1.
	BirthDates bool `yaml:"birthDates" json:"birthDates"`
	// Blocked: values that are never evidence, beside the built-in placeholders; compared in normal form, per kind ("" is every kind).
	Blocked map[string][]string `yaml:"blocked,omitempty" json:"blocked,omitempty"`

	byKind  map[string]int
	names   []string // of the kinds, if they are so few that looking through is faster
	weighed bool     // some kind is
}

// DefaultRules are the rules of a workspace that configures none.
func DefaultRules() *Rules {
	r := &Rules{
		Kinds: []KindRule{
			{Kind: "user_id", Strength: Core, Unique: true, UnlessNamed: true},
			{Kind: "crm_id", Strength: Core},
			{Kind: "card", Strength: Core, Unique: true, UnlessNamed: true, Lent: true, PerSource: true},
			{Kind: "email", Strength: Merge, Limit: 10},
			{Kind: "phone", Strength: Merge, Limit: 10},
			{Kind: identifier.NameAndBirth, Strength: Merge, FullName: true},
			{Kind: "address", Strength: Merge, FullName: true},
			{Kind: "order_id", Strength: Attach},
			{Kind: "device_id", Strength: Attach},
			{Kind: "anonymous_id", Strength: Attach},
			{Kind: "cookie", Strength: Attach},
		},
		GenericDegree:  20,
		HubSize:        500,
		QuarantineSize: 500,
		GivenNames:     true,
		BirthDates:     true,
	}
	if err := r.Prepare(); err != nil {
		panic(err)
	}
	return r
}

// Prepare checks the rules and makes them ready for use. A rule that cannot be meant is a *schema.Refusal.
func (r *Rules) Prepare() error {
	r.byKind = make(map[string]int, len(r.Kinds))
	for i, k := range r.Kinds {
		if k.Kind == "" {
			return schema.Refuse("identity_rule_invalid", fmt.Sprintf("rule %d names no kind", i+1), "name an identifier kind such as email")
		}
		name := identifier.Of(k.Kind).Name
		if _, twice := r.byKind[name]; twice {
			return schema.Refuse("identity_rule_invalid", "kind "+k.Kind+" has two rules", "keep one; its place is its priority")
		}
		if !slices.Contains([]Strength{Core, Merge, Attach, None}, k.Strength) {
			return schema.Refuse("identity_rule_invalid", fmt.Sprintf("kind %s has strength %q", k.Kind, k.Strength), "use core, merge, attach or none")
		}
		if k.WindowDays < 0 || k.Limit < 0 {
			return schema.Refuse("identity_rule_invalid", "kind "+k.Kind+" has a negative window or limit", "use 0 for none")
		}
		r.byKind[name] = i
	}
	const few = 16
	r.names = nil
	for i := range r.Kinds {
		if len(r.Kinds) <= few {
			r.names = append(r.names, identifier.Of(r.Kinds[i].Kind).Name)
		}
	}
	for name, n := range map[string]int{"genericDegree": r.GenericDegree, "hubSize": r.HubSize, "quarantineSize": r.QuarantineSize} {
		if n < 2 {
			return schema.Refuse("identity_rule_invalid", fmt.Sprintf("%s is %d", name, n), "give at least 2")
		}
	}
	return nil
}

// Weighing gives rules for where a model weighs the kinds of which weighs says so: of those, the ones that merge tie no two server personas
// together in stratum 1. What they carry is evidence to the weights, and a mailbox that two people share makes them one only if the rest agrees. Client
// personas attach by these values as ever, to whom stratum 2 holds to be one profile (Weighted). An alias that names such a value is weighed too.
func (r *Rules) Weighing(weighs func(kind string) bool) *Rules {
	out := *r
	out.Kinds = slices.Clone(r.Kinds)
	for i := range out.Kinds {
		k := &out.Kinds[i]
		k.weighed = k.Strength == Merge && weighs(identifier.Of(k.Kind).Name)
		out.weighed = out.weighed || k.weighed
	}
	return &out
}

// weighs says whether values of a kind tie no two server personas together.
func (r *Rules) weighs(kind string) bool {
	if !r.weighed {
		return false
	}
	rule, _ := r.rule(kind)
	return rule.weighed
}

// Alone says whether a persona that carries a key shares it with nobody who bears on it. It is the cheap half of what Expand would find.
func (r *Rules) Alone(trust schema.Trust, kind string, h *HubState) bool {
	return h.Carriers() <= 1 || trust == schema.TrustServer && h.Clients.Carriers == 0 && r.weighs(kind)
}

// rule finds the rule of a kind and its priority. A kind without a rule attaches, with the lowest priority: unknown ids of
// sources may be anything.
func (r *Rules) rule(kind string) (rule *KindRule, priority int) {
	for i, name := range r.names {
		if name == kind {
			return &r.Kinds[i], i
		}
	}
	if r.names == nil {
		if i, ok := r.byKind[kind]; ok {
			return &r.Kinds[i], i
		}
	}
	return &otherKind, len(r.Kinds)
}

var otherKind = KindRule{Strength: Attach}

// Links says whether a persona's evidence of a key ties it to the key's other carriers: the kind has a strength and is not
// crowded on the persona.
func (r *Rules) Links(p *Persona, e *Evidence) bool {
	rule, _ := r.rule(e.Kind)
	return rule.Strength != None && !p.IsCrowded(e.Kind)
}
