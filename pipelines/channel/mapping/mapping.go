// Package mapping turns rows of a file into native events by a mapping: a YAML document that says which column means what. The
// form is documented in deploy/mappings/README.md.
//
// A mapping is compiled once and then maps each row by itself: the same row under the same mapping gives the same events, byte for
// byte, whatever stands around it. What it cannot map it refuses, with the column and the expected form. Tables that rows look
// something up in are declared here and read by the caller, as are time zones.
package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/schema"
)

// document is a mapping as it is written.
type document struct {
	Name      string            `yaml:"name"`
	About     string            `yaml:"about"`
	Source    *value            `yaml:"source"`
	Country   string            `yaml:"country"`
	Format    string            `yaml:"format"`
	Delimiter string            `yaml:"delimiter"`
	Encoding  string            `yaml:"encoding"`
	Columns   []string          `yaml:"columns"`
	Path      string            `yaml:"path"`
	RowWord   string            `yaml:"rows"`
	Ignore    []string          `yaml:"ignore"`
	Lookups   map[string]lookup `yaml:"lookups"`
	Let       yaml.MapSlice     `yaml:"let"`
	Events    []*event          `yaml:"events"`
	lets      []let
}

// lookup declares a table: a file whose rows are found by one column.
type lookup struct {
	File string `yaml:"file"`
	Key  string `yaml:"key"`
}

// let is a computed column.
type let struct {
	name  string
	value *value
}

// event is the rule for one event of a row.
type event struct {
	Key          string            `yaml:"key"`
	When         conditions        `yaml:"when"`
	Type         *value            `yaml:"type"`
	Channel      *value            `yaml:"channel"`
	Actor        *value            `yaml:"actor"`
	ActorID      *value            `yaml:"actorId"`
	Record       *value            `yaml:"record"`
	Time         *timeRule         `yaml:"time"`
	Account      accounts          `yaml:"account"`
	Identifiers  []identifier      `yaml:"identifiers"`
	Traits       map[string]*value `yaml:"traits"`
	Consents     []consent         `yaml:"consents"`
	Conversation *value            `yaml:"conversation"`
	Case         *value            `yaml:"case"`
	Parent       *value            `yaml:"parent"`
	Mention      *value            `yaml:"mention"`
	Entity       *value            `yaml:"entity"`
	Text         *value            `yaml:"text"`
	Language     *value            `yaml:"language"`
	Rating       *value            `yaml:"rating"`
	RatingScale  *value            `yaml:"ratingScale"`
	Amount       *value            `yaml:"amount"`
	Currency     *value            `yaml:"currency"`
	Event        *value            `yaml:"name"`
	Properties   map[string]*value `yaml:"properties"`

	routing string
	rest    bool            // columns that no rule of the event uses become properties
	used    map[string]bool // columns
}

// accounts are tried in order: the first that is there is the account.
type accounts []account

type account struct {
	Kind  string     `yaml:"kind"`
	Value *value     `yaml:"value"`
	When  conditions `yaml:"when" json:",omitempty"`
}

type identifier struct {
	Kind      string     `yaml:"kind"`
	Value     *value     `yaml:"value"`
	Assurance *value     `yaml:"assurance"`
	When      conditions `yaml:"when"`
}

type consent struct {
	When        conditions `yaml:"when"`
	Kind        *value     `yaml:"kind"`
	Value       *value     `yaml:"value"`
	Channel     *value     `yaml:"channel"`
	Purpose     *value     `yaml:"purpose"`
	State       *value     `yaml:"state"`
	LegalBasis  *value     `yaml:"legalBasis"`
	TextVersion *value     `yaml:"textVersion"`
	Proof       *value     `yaml:"proof"`
	Expiry      *value     `yaml:"expiry"`
}

// values lists the members of a consent in a fixed order.
func (c *consent) values() []namedValue {
	return []namedValue{
		{"kind", c.Kind}, {"value", c.Value}, {"channel", c.Channel}, {"purpose", c.Purpose}, {"state", c.State},
		{"legalBasis", c.LegalBasis}, {"textVersion", c.TextVersion}, {"proof", c.Proof}, {"expiry", c.Expiry},
	}
}

// UnmarshalYAML reads one account or a list of them.
func (a *accounts) UnmarshalYAML(unmarshal func(any) error) error {
	var list []account
	if err := unmarshal(&list); err == nil {
		*a = list
		return nil
	}
	var one account
	if err := unmarshal(&one); err != nil {
		return err
	}
	*a = accounts{one}
	return nil
}

// Mapping is a compiled mapping. It is read-only and safe for concurrent use.
type Mapping struct {
	document
	essential map[string]bool // columns without which no row can be mapped
	used      map[string]bool // every column that a rule names
	hash      string
}

// Hash is the SHA-256 of the mapping's text.
func (m *Mapping) Hash() string { return m.hash }

// Lookup is a table that the rows of a mapping look something up in.
type Lookup struct {
	Name    string
	File    string   // relative to the file that is imported
	Key     string   // the column by which its rows are found
	Columns []string // what is taken from them
}

// Compile reads a mapping. zone finds a time zone by its IANA name. An error says what is wrong with which member.
func Compile(text []byte, zone func(name string) (*time.Location, error)) (*Mapping, error) {
	sum := sha256.Sum256(text)
	m := &Mapping{essential: map[string]bool{}, used: map[string]bool{}, hash: hex.EncodeToString(sum[:])}
	if err := yaml.UnmarshalWithOptions(text, &m.document, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("read the mapping: %w", err)
	}
	if !channel.IsName(m.Name) {
		return nil, errors.New("a mapping needs a name: a word of a-z, 0-9 and _")
	}
	if err := m.compile(zone); err != nil {
		return nil, fmt.Errorf("mapping %s: %w", m.Name, err)
	}
	return m, nil
}

func (m *Mapping) compile(zone func(string) (*time.Location, error)) error {
	switch m.Format {
	case "", "csv", "tsv", "ndjson", "json", "blanks":
	default:
		return fmt.Errorf("format %q is none of csv, tsv, ndjson, json, blanks", m.Format)
	}
	if m.RowWord != "" && m.RowWord != "skip" {
		return fmt.Errorf("rows %q: the only word is skip, for a file whose rows are no events", m.RowWord)
	}
	if m.Source == nil {
		m.Source = &value{Constant: pointer(m.Name)}
	}
	for _, item := range m.Let {
		name, isString := item.Key.(string)
		if !isString {
			return fmt.Errorf("let: %v is no name", item.Key)
		}
		v := &value{}
		raw, err := yaml.Marshal(item.Value)
		if err == nil {
			err = yaml.UnmarshalWithOptions(raw, v, yaml.Strict())
		}
		if err != nil {
			return fmt.Errorf("let %s: %w", name, err)
		}
		m.lets = append(m.lets, let{name, v})
	}
	if m.Country != "" && !channel.IsCountry(m.Country) {
		return fmt.Errorf("country %q is no ISO 3166 code of two capital letters", m.Country)
	}
	m.Source.word()
	for _, e := range m.Events {
		for _, v := range []*value{e.Type, e.Channel, e.Actor, e.Currency, e.RatingScale} {
			v.word()
		}
		for i := range e.Identifiers {
			e.Identifiers[i].Assurance.word()
		}
		for i := range e.Consents {
			c := &e.Consents[i]
			for _, v := range []*value{c.Kind, c.Channel, c.Purpose, c.State} {
				v.word()
			}
		}
	}
	if len(m.Events) == 0 && m.RowWord != "skip" {
		return errors.New("there are no events: say what a row is, or rows: skip")
	}
	c := compiler{m: m, zone: zone, keys: map[string]bool{}}
	for i := range m.lets {
		c.value(m.lets[i].value, "let "+m.lets[i].name)
	}
	c.value(m.Source, "source")
	for i, e := range m.Events {
		c.event(e, i)
	}
	if len(c.problems) > 0 {
		return errors.New(strings.Join(c.problems, "; "))
	}
	return nil
}

func pointer(s string) *string { return &s }

// compiler gathers what is wrong, all at once.
type compiler struct {
	m        *Mapping
	zone     func(string) (*time.Location, error)
	keys     map[string]bool
	problems []string
}

func (c *compiler) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// value checks a value and notes its columns.
func (c *compiler) value(v *value, where string) {
	if v == nil {
		return
	}
	if err := v.compile(); err != nil {
		c.problem("%s: %v", where, err)
		return
	}
	if v.Lookup != "" {
		if _, declared := c.m.Lookups[v.Lookup]; !declared {
			c.problem("%s: there is no lookup %s", where, v.Lookup)
		}
	}
	for _, column := range v.columns() {
		c.m.used[column] = true
	}
}

func (c *compiler) event(e *event, index int) {
	e.used = map[string]bool{}
	where := fmt.Sprintf("event %d", index+1)
	if e.Key == "" && len(c.m.Events) > 1 {
		if e.Type == nil || e.Type.Constant == nil {
			c.problem("%s: a row of several events needs a key for each", where)
		} else {
			e.Key = *e.Type.Constant
		}
	}
	if c.keys[e.Key] {
		c.problem("%s: two events have the key %q", where, e.Key)
	}
	c.keys[e.Key] = true
	if e.Type == nil {
		c.problem("%s: type is missing", where)
	} else if e.Type.Constant != nil {
		if _, known := schema.ParseType(*e.Type.Constant); !known {
			c.problem("%s: type %q is not a built-in one", where, *e.Type.Constant)
		}
	}
	for _, named := range e.values() {
		c.value(named.value, where+", "+named.name)
		for _, column := range named.value.columns() {
			if named.name != nameAccount { // an account that was not chosen for a row is not used by it
				e.used[column] = true
			}
		}
	}
	for _, condition := range e.conditions() {
		c.value(&condition.value, where+", when")
		if err := condition.check(); err != nil {
			c.problem("%s, when: %v", where, err)
		}
		for _, column := range condition.value.columns() {
			e.used[column] = true
		}
	}
	if e.Time != nil {
		if err := e.Time.compile(c.zone); err != nil {
			c.problem("%s, time: %v", where, err)
		}
	}
	for i := range e.Account {
		if !channel.IsName(e.Account[i].Kind) || e.Account[i].Value == nil {
			c.problem("%s: an account needs kind and value", where)
		}
	}
	for i := range e.Identifiers {
		id := &e.Identifiers[i]
		if !channel.IsName(id.Kind) || id.Value == nil {
			c.problem("%s: an identifier needs kind and value", where)
		}
		if id.Assurance != nil && id.Assurance.Constant != nil {
			if _, known := schema.ParseAssurance(*id.Assurance.Constant); !known {
				c.problem("%s: assurance %q is none of inferred, declared, verified", where, *id.Assurance.Constant)
			}
		}
	}
	e.rest = e.Properties == nil
	for _, v := range []*value{e.Type, e.Record, e.timeValue()} {
		for _, column := range v.columns() {
			c.m.essential[column] = true
		}
	}
	if len(e.Account) == 1 {
		for _, column := range e.Account[0].Value.columns() {
			c.m.essential[column] = true
		}
	}
	e.routing = c.routing(e)
}

func (e *event) timeValue() *value {
	if e.Time == nil {
		return nil
	}
	return &e.Time.value
}

// namedValue is a value with the member that it stands for.
type namedValue struct {
	name  string
	value *value
}

const nameAccount = "account"

// values lists every value of an event's rules in a fixed order.
func (e *event) values() []namedValue {
	list := []namedValue{
		{"type", e.Type}, {"channel", e.Channel}, {"actor", e.Actor}, {"actorId", e.ActorID}, {"record", e.Record}, {"time", e.timeValue()},
		{"conversation", e.Conversation}, {"case", e.Case}, {"parent", e.Parent}, {"mention", e.Mention}, {"entity", e.Entity}, {"text", e.Text},
		{"language", e.Language}, {"rating", e.Rating}, {"ratingScale", e.RatingScale}, {"amount", e.Amount}, {"currency", e.Currency}, {"name", e.Event},
	}
	for i := range e.Account {
		list = append(list, namedValue{nameAccount, e.Account[i].Value})
	}
	for i := range e.Identifiers {
		id := &e.Identifiers[i]
		list = append(list, namedValue{"identifier " + id.Kind, id.Value}, namedValue{"assurance of " + id.Kind, id.Assurance})
	}
	for _, name := range sorted(e.Traits) {
		list = append(list, namedValue{"trait " + name, e.Traits[name]})
	}
	for _, name := range sorted(e.Properties) {
		list = append(list, namedValue{"property " + name, e.Properties[name]})
	}
	for i := range e.Consents {
		for _, member := range e.Consents[i].values() {
			list = append(list, namedValue{"consent " + member.name, member.value})
		}
	}
	return slices.DeleteFunc(list, func(v namedValue) bool { return v.value == nil })
}

func (e *event) conditions() (list []*condition) {
	add := func(conditions conditions) {
		for i := range conditions {
			list = append(list, &conditions[i])
		}
	}
	add(e.When)
	for i := range e.Account {
		add(e.Account[i].When)
	}
	for i := range e.Identifiers {
		add(e.Identifiers[i].When)
	}
	for i := range e.Consents {
		add(e.Consents[i].When)
	}
	return list
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

// routing hashes the rules for account, type and time, with everything that they refer to. Events that were imported under other
// rules are other events.
func (c *compiler) routing(e *event) string {
	rules := map[string]any{
		"source": c.m.Source, "type": e.Type, "time": e.Time, "key": e.Key, "account": e.Account, "lookups": c.m.Lookups,
	}
	if len(e.Account) == 0 {
		rules["identifiers"] = e.Identifiers
		rules["conversation"] = e.Conversation
	}
	lets := [][2]any{}
	for _, l := range c.m.lets {
		lets = append(lets, [2]any{l.name, l.value})
	}
	rules["let"] = lets
	text, err := json.Marshal(rules) // members of maps come sorted
	if err != nil {
		c.problem("its rules cannot be written: %v", err)
	}
	sum := sha256.Sum256(append([]byte("mapping 1 "), text...))
	return hex.EncodeToString(sum[:])
}

// Tables lists the lookups, with what is taken from each, sorted by name.
func (m *Mapping) Tables() []Lookup {
	tables := []Lookup{}
	for _, name := range sorted(m.Lookups) {
		t := Lookup{Name: name, File: m.Lookups[name].File, Key: m.Lookups[name].Key}
		columns := map[string]bool{}
		visit := func(v *value) {
			if v.Lookup == name {
				columns[v.Take] = true
			}
		}
		for _, l := range m.lets {
			visit(l.value)
		}
		for _, e := range m.Events {
			for _, named := range e.values() {
				visit(named.value)
			}
			for _, condition := range e.conditions() {
				visit(&condition.value)
			}
		}
		t.Columns = sorted(columns)
		tables = append(tables, t)
	}
	return tables
}

// Missing is a column that a rule names and a file does not have.
type Missing struct {
	Column    string
	Essential bool // no row can be mapped without it
}

// Check compares the columns of a file with those that the rules name. Computed columns need no column.
func (m *Mapping) Check(columns []string) (missing []Missing) {
	for _, column := range sorted(m.used) {
		if slices.Contains(columns, column) || slices.ContainsFunc(m.lets, func(l let) bool { return l.name == column }) {
			continue
		}
		missing = append(missing, Missing{Column: column, Essential: m.essential[column]})
	}
	return missing
}

// Skip says whether the rows of this file are no events, and why; the importer then passes the file over.
func (m *Mapping) Skip() (reason string, skip bool) { return m.About, m.RowWord == "skip" }

// Layout is how a file is written, as far as its mapping says.
type Layout struct {
	Format    string   // csv, tsv, ndjson, json, blanks; empty: by the file's name and first bytes
	Delimiter string   // of csv; empty: by the first line
	Encoding  string   // utf-8, latin1, windows-1252; empty: by the bytes
	Columns   []string // of a file without a header; empty: the first line has them
}

// Untimed names the first event that states no time; false if all do. What comes more than once, such as a webhook or a record of a
// topic, must state one: without a time each copy would be another event.
func (m *Mapping) Untimed() (key string, found bool) {
	for _, e := range m.Events {
		if e.Time == nil {
			return e.Key, true
		}
	}
	return "", false
}

// Names says whether a rule names a column.
func (m *Mapping) Names(column string) bool { return m.used[column] }

// Layout tells how the file is written.
func (m *Mapping) Layout() Layout {
	return Layout{Format: m.Format, Delimiter: m.Delimiter, Encoding: m.Encoding, Columns: m.Columns}
}
