package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/schema"
)

// value says where a text comes from: a column (the short form: just its name), a constant, a template, or a lookup; and what is
// done with it, in the order of the members below.
type value struct {
	Column   string            `yaml:"column" json:",omitempty"`
	Constant *string           `yaml:"constant" json:",omitempty"`
	Template string            `yaml:"template" json:",omitempty"` // {column} stands for a column's value; empty if one of them is
	Lookup   string            `yaml:"lookup" json:",omitempty"`
	By       string            `yaml:"by" json:",omitempty"`    // the column whose value is looked up
	Take     string            `yaml:"take" json:",omitempty"`  // the column of the table
	Empty    []string          `yaml:"empty" json:",omitempty"` // values that mean nothing
	Lower    bool              `yaml:"lower" json:",omitempty"`
	Upper    bool              `yaml:"upper" json:",omitempty"`
	Map      map[string]string `yaml:"map" json:",omitempty"`
	Decimal  string            `yaml:"decimal" json:",omitempty"` // the value is a number: point or comma is its decimal sign
	Shift    int               `yaml:"shift" json:",omitempty"`   // moves the decimal sign: -2 makes euros of cents
	Prefix   string            `yaml:"prefix" json:",omitempty"`
	Default  *string           `yaml:"default" json:",omitempty"` // where nothing is left
	As       string            `yaml:"as" json:",omitempty"`      // of traits and properties: text, number, boolean, json

	parts []part // of Template
	short bool   // written as one word
}

// word makes the short form of a member whose values are words of ours, such as a type, a constant.
func (v *value) word() {
	if v != nil && v.short && v.Column != "" {
		v.Column, v.Constant = "", pointer(v.Column)
	}
}

// part is a literal or a column of a template.
type part struct {
	literal string
	column  string
}

// UnmarshalYAML reads the short form, a column's name, or the long one.
func (v *value) UnmarshalYAML(unmarshal func(any) error) error {
	var column string
	if err := unmarshal(&column); err == nil {
		v.Column, v.short = column, true
		return nil
	}
	type long value // without this method
	return unmarshal((*long)(v))
}

func (v *value) compile() error {
	origins := 0
	for _, there := range []bool{v.Column != "", v.Constant != nil, v.Template != "", v.Lookup != ""} {
		if there {
			origins++
		}
	}
	if origins != 1 {
		return errors.New("want exactly one of column, constant, template, lookup")
	}
	if v.Lookup != "" && (v.By == "" || v.Take == "") {
		return errors.New("a lookup needs by and take")
	}
	if v.Decimal != "" && v.Decimal != "point" && v.Decimal != "comma" {
		return errors.New("decimal is point or comma")
	}
	if v.Shift < -18 || v.Shift > 18 {
		return errors.New("shift is at most 18 places")
	}
	if !slices.Contains([]string{"", "text", "number", "boolean", "json"}, v.As) {
		return errors.New("as is text, number, boolean or json")
	}
	v.parts = nil
	for rest := v.Template; rest != ""; {
		literal, after, found := strings.Cut(rest, "{")
		if literal != "" {
			v.parts = append(v.parts, part{literal: literal})
		}
		if !found {
			break
		}
		column, tail, closed := strings.Cut(after, "}")
		if !closed || column == "" {
			return errors.New("a template has an open {")
		}
		v.parts = append(v.parts, part{column: column})
		rest = tail
	}
	return nil
}

// columns are those that the value is made of.
func (v *value) columns() []string {
	switch {
	case v == nil:
		return nil
	case v.Column != "":
		return []string{v.Column}
	case v.Lookup != "":
		return []string{v.By}
	}
	var columns []string
	for rest := v.Template; rest != ""; {
		_, after, found := strings.Cut(rest, "{")
		if !found {
			break
		}
		column, tail, closed := strings.Cut(after, "}")
		if !closed {
			break
		}
		columns = append(columns, column)
		rest = tail
	}
	return columns
}

// of computes the value for a row; empty where there is nothing.
func (v *value) of(r *reading) (string, *Fault) {
	if v == nil {
		return "", nil
	}
	s, fault := v.origin(r)
	if fault != nil {
		return "", fault
	}
	s = strings.TrimSpace(s)
	if slices.Contains(v.Empty, s) {
		s = ""
	}
	if v.Lower {
		s = strings.ToLower(s)
	}
	if v.Upper {
		s = strings.ToUpper(s)
	}
	if v.Map != nil && s != "" {
		mapped, known := v.Map[s]
		if !known && v.Default == nil {
			return "", v.fault(channel.FieldInvalid(v.label(), "one of the values that the mapping lists"))
		}
		s = mapped
	}
	if v.Decimal != "" && s != "" {
		if s, fault = v.number(s); fault != nil {
			return "", fault
		}
	}
	if v.Shift != 0 && s != "" {
		if s, fault = v.shifted(s); fault != nil {
			return "", fault
		}
	}
	if v.Prefix != "" && s != "" {
		s = v.Prefix + s
	}
	if s == "" && v.Default != nil {
		s = *v.Default
	}
	return s, nil
}

func (v *value) origin(r *reading) (string, *Fault) {
	switch {
	case v.Constant != nil:
		return *v.Constant, nil
	case v.Column != "":
		return r.column(v.Column), nil
	case v.Lookup != "":
		key := strings.TrimSpace(r.column(v.By))
		if key == "" {
			return "", nil
		}
		found, there := r.rows.lookup(v.Lookup, key, v.Take)
		if !there && v.Default == nil {
			return "", &Fault{Column: v.By, Refusal: schema.Refuse("lookup_failed", fmt.Sprintf("the table %s has no row for the value of %s", v.Lookup, v.By), "add the row to the table, or give the value a default")}
		}
		return found, nil
	}
	var b strings.Builder
	for _, p := range v.parts {
		if p.column == "" {
			b.WriteString(p.literal)
			continue
		}
		s := strings.TrimSpace(r.column(p.column))
		if s == "" {
			return "", nil
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

// label names the value in a refusal.
func (v *value) label() string {
	if columns := v.columns(); len(columns) > 0 {
		return "column " + strings.Join(columns, ", ")
	}
	return "a constant"
}

func (v *value) fault(r *schema.Refusal) *Fault {
	return &Fault{Column: strings.Join(v.columns(), ", "), Refusal: r}
}

// number reads a decimal number as people write it: grouped by blanks, apostrophes or the other sign.
func (v *value) number(s string) (string, *Fault) {
	sign, group := ".", ","
	if v.Decimal == "comma" {
		sign, group = ",", "."
	}
	s = strings.NewReplacer(group, "", " ", "", "\u00a0", "", "\u202f", "", "'", "", sign, ".").Replace(s)
	s = strings.TrimPrefix(s, "+")
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || strings.Trim(digits, "0123456789.") != "" || strings.Count(digits, ".") > 1 || digits[0] == '.' || digits[len(digits)-1] == '.' {
		return "", v.fault(channel.FieldInvalid(v.label(), "a decimal number with a "+v.Decimal))
	}
	return s, nil
}

// shifted moves the decimal sign of a plain decimal.
func (v *value) shifted(s string) (string, *Fault) {
	digits, negative := strings.CutPrefix(s, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	if whole == "" || strings.Trim(whole+fraction, "0123456789") != "" || strings.HasSuffix(digits, ".") {
		return "", v.fault(channel.FieldInvalid(v.label(), "a decimal number"))
	}
	if v.Shift > 0 {
		fraction += strings.Repeat("0", max(0, v.Shift-len(fraction)))
		whole, fraction = whole+fraction[:v.Shift], fraction[v.Shift:]
	} else {
		whole = strings.Repeat("0", max(0, 1-v.Shift-len(whole))) + whole
		at := len(whole) + v.Shift
		whole, fraction = whole[:at], whole[at:]+fraction
	}
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	if fraction = strings.TrimRight(fraction, "0"); fraction != "" {
		whole += "." + fraction
	}
	if negative && whole != "0" {
		whole = "-" + whole
	}
	return whole, nil
}

// conditions all hold, or what they guard does not happen. In YAML one condition stands for a list of one.
type conditions []condition

type condition struct {
	value   `yaml:",inline"`
	Is      *string  `yaml:"is"`
	Not     *string  `yaml:"not"`
	In      []string `yaml:"in"`
	NotIn   []string `yaml:"notIn"`
	Present *bool    `yaml:"present"`
}

// UnmarshalYAML reads one condition or a list.
func (c *conditions) UnmarshalYAML(unmarshal func(any) error) error {
	var list []longCondition
	if err := unmarshal(&list); err != nil {
		var one longCondition
		if err := unmarshal(&one); err != nil {
			return err
		}
		list = []longCondition{one}
	}
	for _, l := range list {
		*c = append(*c, condition{
			value: value{Column: l.Column, Constant: l.Constant, Template: l.Template, Lookup: l.Lookup, By: l.By, Take: l.Take, Empty: l.Empty, Lower: l.Lower},
			Is:    l.Is, Not: l.Not, In: l.In, NotIn: l.NotIn, Present: l.Present,
		})
	}
	return nil
}

// longCondition is a condition as it is written: its value always in the long form.
type longCondition struct {
	Column   string   `yaml:"column"`
	Constant *string  `yaml:"constant"`
	Template string   `yaml:"template"`
	Lookup   string   `yaml:"lookup"`
	By       string   `yaml:"by"`
	Take     string   `yaml:"take"`
	Empty    []string `yaml:"empty"`
	Lower    bool     `yaml:"lower"`
	Is       *string  `yaml:"is"`
	Not      *string  `yaml:"not"`
	In       []string `yaml:"in"`
	NotIn    []string `yaml:"notIn"`
	Present  *bool    `yaml:"present"`
}

func (c *condition) check() error {
	if c.Is == nil && c.Not == nil && c.In == nil && c.NotIn == nil && c.Present == nil {
		return errors.New("a condition needs is, not, in, notIn or present")
	}
	return nil
}

func (c conditions) hold(r *reading) (bool, *Fault) {
	for i := range c {
		s, fault := c[i].value.of(r)
		if fault != nil {
			return false, fault
		}
		k := &c[i]
		if k.Is != nil && s != *k.Is || k.Not != nil && s == *k.Not || k.In != nil && !slices.Contains(k.In, s) ||
			k.NotIn != nil && slices.Contains(k.NotIn, s) || k.Present != nil && *k.Present != (s != "") {
			return false, nil
		}
	}
	return true, nil
}

// timeRule says when a row happened.
type timeRule struct {
	value
	Format string
	Zone   string

	layout   string
	location *time.Location
}

// UnmarshalYAML reads the short form, a column's name with RFC 3339 in it, or the long one.
func (t *timeRule) UnmarshalYAML(unmarshal func(any) error) error {
	var column string
	if err := unmarshal(&column); err == nil {
		t.Column = column
		return nil
	}
	var long struct {
		Column   string   `yaml:"column"`
		Constant *string  `yaml:"constant"`
		Template string   `yaml:"template"`
		Lookup   string   `yaml:"lookup"`
		By       string   `yaml:"by"`
		Take     string   `yaml:"take"`
		Empty    []string `yaml:"empty"`
		Default  *string  `yaml:"default"`
		Format   string   `yaml:"format"`
		Zone     string   `yaml:"zone"`
	}
	if err := unmarshal(&long); err != nil {
		return err
	}
	t.value = value{
		Column: long.Column, Constant: long.Constant, Template: long.Template, Lookup: long.Lookup, By: long.By, Take: long.Take,
		Empty: long.Empty, Default: long.Default,
	}
	t.Format, t.Zone = long.Format, long.Zone
	return nil
}

// The formats of a time that are words.
const (
	formatRFC3339 = "rfc3339"
	formatSeconds = "epoch"
	formatMillis  = "epoch_ms"
)

// directives of a format, as strftime has them, in the words of package time.
var directives = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'e': "_2", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'z': "-0700",
	'b': "Jan", 'B': "January", 'a': "Mon", 'A': "Monday", 'f': "999999", 'Z': "MST", '%': "%",
}

func (t *timeRule) compile(zone func(string) (*time.Location, error)) error {
	t.location = time.UTC
	if t.Zone != "" {
		if zone == nil {
			return errors.New("there are no time zones here")
		}
		location, err := zone(t.Zone)
		if err != nil {
			return fmt.Errorf("zone %q is unknown: want an IANA name such as Europe/Paris", t.Zone)
		}
		t.location = location
	}
	switch t.Format {
	case "", formatRFC3339, formatSeconds, formatMillis:
		return nil
	}
	var b strings.Builder
	for i := 0; i < len(t.Format); i++ {
		if t.Format[i] != '%' {
			b.WriteByte(t.Format[i])
			continue
		}
		i++
		if i == len(t.Format) || directives[t.Format[i]] == "" {
			return fmt.Errorf("format %q: want rfc3339, epoch, epoch_ms, or a form such as %%Y-%%m-%%d %%H:%%M:%%S", t.Format)
		}
		b.WriteString(directives[t.Format[i]])
	}
	t.layout = b.String()
	return nil
}

// at reads the row's time and writes it as RFC 3339 in UTC; empty where there is none.
func (t *timeRule) at(r *reading) (string, *Fault) {
	if t == nil {
		return "", nil
	}
	s, fault := t.value.of(r)
	if fault != nil || s == "" {
		return "", fault
	}
	switch t.Format {
	case "", formatRFC3339:
		at, refusal := channel.ParseTime(t.label(), s)
		if refusal != nil {
			return "", t.fault(refusal)
		}
		return at.String(), nil
	case formatSeconds, formatMillis:
		return t.epoch(s)
	}
	at, err := time.ParseInLocation(t.layout, s, t.location)
	if err != nil {
		return "", t.fault(schema.Refuse(channel.CodeTimeInvalid, t.label()+" is not a time of the form "+t.Format, "correct the value, or the format in the mapping"))
	}
	return schema.InstantOf(at).String(), nil
}

// epoch reads seconds or milliseconds since 1970, with a fraction or without.
func (t *timeRule) epoch(s string) (string, *Fault) {
	digits := 6 // to microseconds
	if t.Format == formatMillis {
		digits = 3
	}
	whole, fraction, _ := strings.Cut(s, ".")
	if len(fraction) > digits {
		fraction = fraction[:digits]
	}
	var micros int64
	text := strings.TrimPrefix(whole, "-") + fraction + strings.Repeat("0", digits-len(fraction))
	for i := 0; i < len(text); i++ {
		if text[i] < '0' || text[i] > '9' || len(text) > 18 {
			return "", t.fault(schema.Refuse(channel.CodeTimeInvalid, t.label()+" is not a number of "+t.Format, "correct the value, or the format in the mapping"))
		}
		micros = micros*10 + int64(text[i]-'0')
	}
	if strings.HasPrefix(whole, "-") {
		micros = -micros
	}
	return schema.Instant(micros).String(), nil
}
