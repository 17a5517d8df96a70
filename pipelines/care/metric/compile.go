package metric

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
)

// A Statement is SQL over the tables of care with its parameters.
type Statement struct {
	SQL    string
	Params map[string]any
}

// whoIsWho is who is who now: a relation (member, holder). A persona that it does not know, or that is its own, is a profile of its own.
const whoIsWho = "SELECT persona AS member, profile AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona"

// hashed is the same relation of hashes; 0 stands for nobody.
const hashed = "SELECT cityHash64(persona) AS member, cityHash64(profile) AS holder FROM persona_map WHERE workspace = {workspace:String} AND profile != persona"

// words are what expressions may be written with.
var words = strings.NewReplacer(
	"{who}", whoIsWho, "{hashed}", hashed, "{now}", "{now:DateTime64(6)}", "{within}", "{within:Int64}", "{currency}", "{currency:String}", "{asof}", "{asof:DateTime64(6)}", "{window}", "{window:Int64}", "micros(", "toUnixTimestamp64Micro(",
)

// members are who is in one of the query's segments: whom the last change let in, by who that is now.
const members = `SELECT if(w.holder = ` + nobody + `, s.profile, w.holder)
  FROM
  (
    SELECT profile FROM current_segment_changes WHERE workspace = {workspace:String} AND segment IN {segments:Array(String)}
    GROUP BY segment, profile HAVING argMax(entered, (at, id)) = 1
  ) AS s
  LEFT JOIN ({who}) AS w ON w.member = s.profile`

// nobody is the holder of a persona that the map does not know.
const nobody = "toUUID('00000000-0000-0000-0000-000000000000')"

// plan is a query of a metric taken apart.
type plan struct {
	subject subject
	params  map[string]any
	from    string   // the subject's rows, each with the instant of the reading: dated
	where   string   // those of the period that pass the filters
	keys    []key    // for each dimension of By
	reasons []string // why a row does not count, by code − 1; the code 0 counts
	open    int      // the code of what is not over; 0: there is none
	code    string   // UInt8
	value   string
	marks   []string // UInt8 each
	sums    []string // Int64 each
	tables  string   // how the tables are named that hold what was known; empty: those of the present
	largest []bool   // the largest of these, no sum
}

// adapted is the definition as it is for a query.
func (d Definition) adapted(q Query) Definition {
	if d.adapt != nil {
		adapt := d.adapt
		d.adapt = nil // once is enough
		adapt(&d, q)
	}
	return d
}

// key is a dimension as rows are grouped by it, and as it is written: %s is the former.
type key struct{ group, text string }

func (k key) written(of string) string { return strings.ReplaceAll(k.text, "%s", of) }

func (d Definition) plan(q Query) (p plan, err error) {
	d = d.adapted(q)
	if p.subject, err = d.check(&q); err != nil {
		return plan{}, err
	}
	p.params = map[string]any{
		"workspace": q.Workspace, "now": q.Now, "zone": q.Zone, "within": q.Within, "window": q.Window, "from": q.From, "to": q.To, "currency": cmp.Or(q.Currency, DefaultCurrency),
	}
	if p.tables = q.Tables; p.tables != "" {
		p.params["known"] = q.KnownAt
	}
	maps.Copy(p.params, d.params)
	if q.Zone == "" {
		p.params["zone"] = "UTC"
	}
	if q.Within == 0 {
		p.params["within"] = int64(defaultWithin)
	}
	if q.Window == 0 {
		p.params["window"] = int64(defaultWindow)
	}
	if q.From == 0 {
		p.params["from"] = schema.FirstTimelineInstant
	}
	if q.To == 0 {
		p.params["to"] = schema.EndTimelineInstant
	}
	at := d.happens
	if q.InForce(d) == Cohort {
		at = d.begins
	}
	p.from = "SELECT *, toNullable(" + at + ") AS dated FROM (" + p.subject.from + ") WHERE " + d.of
	p.value = d.value
	var conditions []string
	asOfDates := false
	leave := func(condition, reason string) (code int) {
		if code = slices.Index(p.reasons, reason) + 1; code == 0 {
			p.reasons = append(p.reasons, reason)
			code = len(p.reasons)
		}
		conditions = append(conditions, condition+", "+strconv.Itoa(code))
		return code
	}
	if q.AsOf != 0 {
		p.params["asof"] = q.AsOf
		then := asOf.Replace(p.from)
		if then == p.from { // rows that are what they were from the first
			asOfDates = true
		}
		p.from = then
		if d.later != "" {
			leave(d.later, reasonLater)
		}
	}
	for _, e := range d.leave {
		leave(e.condition, e.reason)
	}
	switch {
	case d.open != "" && q.OpenHours:
		p.value = d.hours
		leave(d.open, reasonOpenHours)
	case d.open != "":
		p.value = "if(" + d.open + ", " + d.running + ", " + d.value + ")"
		p.open = leave(d.open, reasonOpen)
	case q.OpenHours:
		p.value = d.hours
	}
	p.code = "toUInt8(0)"
	if len(conditions) > 0 {
		p.code = "toUInt8(multiIf(" + strings.Join(conditions, ", ") + ", 0))"
	}
	for _, by := range q.By {
		k, period := periods[by]
		if !period {
			k = key{p.subject.dimensions[by], "toString(%s)"}
		}
		p.keys = append(p.keys, k)
	}
	filters := []string{"isNotNull(dated)", "dated >= {from:DateTime64(6)}", "dated < {to:DateTime64(6)}"}
	for i, by := range slices.Sorted(maps.Keys(q.Where)) {
		name := "where" + strconv.Itoa(i)
		p.params[name] = q.Where[by]
		filters = append(filters, "has({"+name+":Array(String)}, toString("+p.subject.dimensions[by]+"))")
	}
	if asOfDates {
		filters = append(filters, "dated <= {asof}")
	}
	p.where = strings.Join(filters, " AND ")
	for _, m := range d.marks {
		p.marks = append(p.marks, "toUInt8(ifNull("+m+", 0))")
	}
	for _, sum := range d.sums {
		of, largest := strings.CutPrefix(sum, "max ")
		p.sums, p.largest = append(p.sums, "toInt64(ifNull("+of+", 0))"), append(p.largest, largest)
	}
	return p, nil
}

// whose gives rows b as columns, with the profile that holds each row's persona now, those of the query's people.
func (p plan) whose(q Query, columns, rows string) string {
	sql := "SELECT " + columns + ", if(m.holder = " + nobody + ", b.persona, m.holder) AS profile\nFROM\n(\n" + rows + "\n) AS b\nLEFT JOIN ({who}) AS m ON m.member = b.persona"
	var conditions []string
	switch {
	case q.Profiles != nil && len(q.Profiles) == 0:
		conditions = append(conditions, "0")
	case q.Profiles != nil:
		p.params["profiles"] = q.Profiles
		conditions = append(conditions, "profile IN {profiles:Array(UUID)}")
	}
	if q.Segments != nil {
		p.params["segments"] = q.Segments
		conditions = append(conditions, "profile IN ("+members+")")
	}
	if len(conditions) > 0 {
		sql += "\nWHERE " + strings.Join(conditions, " AND ")
	}
	return sql
}

// people gives rows b as columns, with the hash of the profile that holds each row's persona now. It is for counting everybody's rows; base has a column person.
func (p plan) people(columns, base string) string {
	if p.subject.who != "" {
		return "SELECT " + columns + ", b.person AS profile\nFROM\n(\n" + base + "\n) AS b"
	}
	return "SELECT " + columns + ", if(m.holder = 0, b.person, m.holder) AS profile\nFROM\n(\n" + base + "\n) AS b\nANY LEFT JOIN ({hashed}) AS m ON m.member = b.person"
}

// latest marks all rows of each person but the last as superseded.
func (p *plan) latest(columns, rows string) string {
	p.reasons = append(p.reasons, reasonSuperseded)
	return "SELECT " + columns + ", if(code = 0 AND place > 1, " + strconv.Itoa(len(p.reasons)) + ", code) AS code\nFROM\n(\n" +
		"  SELECT *, row_number() OVER (PARTITION BY profile, code ORDER BY at DESC, id DESC) AS place\n  FROM (" + rows + ")\n)"
}

// statement writes a text with the parameters that it names.
func (p plan) statement(sql string) Statement {
	sql = words.Replace(sql)
	if p.tables != "" {
		sql = known(sql, p.tables)
	}
	for name := range p.params {
		if !strings.Contains(sql, "{"+name+":") {
			delete(p.params, name)
		}
	}
	return Statement{sql, p.params}
}

// Count counts the rows of each group, and of all together: one Tally a row, the one of all first, then by keys. Its columns are
//
//	whole UInt8, keys Array(String), n, people, up, down UInt64, sum, squares String (whole numbers), marks Array(UInt64), sums Array(String),
//	reasons Map(String, UInt64), calendars Array(String), over, open Array(Int64)
//
// Durations come in no order, and of all together not at all where there are groups: they are those of the groups. Neither come their sums.
//
// Rows are read once. They are counted by group, and the few groups to all together.
func (d Definition) Count(q Query) (Statement, error) {
	d = d.adapted(q)
	p, err := d.plan(q)
	if err != nil {
		return Statement{}, err
	}
	columns := []string{"persona", p.code + " AS code", "toInt8(" + d.hit + ") AS hit", "toInt64(ifNull(" + p.value + ", 0)) AS value"}
	names := []string{"b.hit AS hit", "b.value AS value"}
	add := func(expression, name string) {
		columns, names = append(columns, expression+" AS "+name), append(names, "b."+name+" AS "+name)
	}
	for i, m := range p.marks {
		add(m, "mark"+strconv.Itoa(i))
	}
	for i, sum := range p.sums {
		add(sum, "sum"+strconv.Itoa(i))
	}
	for i, k := range p.keys {
		add(k.group, "key"+strconv.Itoa(i))
	}
	timed := p.subject.stamped().column
	calendars := timed != ""
	if calendars {
		add(timed, "timed")
	}
	if q.Latest {
		add("id", "id")
	}
	at := "assumeNotNull(dated) AS at"
	add("at", "at")
	columns[len(columns)-1] = at
	everybody := q.Profiles == nil && q.Segments == nil && !q.Latest
	if everybody {
		columns[0] = cmp.Or(p.subject.who, "cityHash64(persona)") + " AS person"
	}
	base := "  SELECT " + strings.Join(columns, ", ") + "\n  FROM (" + p.from + ")\n  WHERE " + p.where
	asked := strings.Join(append(slices.Clone(names), "b.code AS code"), ", ")
	rows := ""
	if everybody {
		rows = p.people(asked, base)
	} else {
		rows = p.whose(q, asked, base)
	}
	if q.Latest {
		var plain []string
		for _, n := range names {
			_, name, _ := strings.Cut(n, " AS ")
			plain = append(plain, name)
		}
		rows = p.latest(strings.Join(append(plain, "profile"), ", "), rows)
	}

	open := strconv.Itoa(max(p.open, 0))
	durations := d.Unit == Seconds || d.Statistic == Bands
	inner := []string{
		"countIf(code = 0) AS n", "uniqExactStateIf(profile, code IN (0, " + open + ")) AS people", "countIf(code = 0 AND hit > 0) AS up", "countIf(code = 0 AND hit < 0) AS down",
	}
	outer := []string{"sum(n) AS n", "uniqExactMerge(people) AS people", "sum(up) AS up", "sum(down) AS down"}
	if durations {
		outer = append(outer, "'0' AS sum", "'0' AS squares")
	} else {
		inner = append(inner, "sumIf(toInt128(value), code = 0) AS total", "sumIf(toInt128(value) * value, code = 0) AS squared")
		outer = append(outer, "toString(sum(total)) AS sum", "toString(sum(squared)) AS squares")
	}
	marks, sums, reasons := []string{}, []string{}, []string{}
	for i := range p.marks {
		n := "marked" + strconv.Itoa(i)
		inner = append(inner, "countIf(code = 0 AND mark"+strconv.Itoa(i)+" = 1) AS "+n)
		marks = append(marks, "sum("+n+")")
	}
	for i := range p.sums {
		n := "summed" + strconv.Itoa(i)
		if p.largest[i] {
			inner = append(inner, "maxIf(sum"+strconv.Itoa(i)+", code = 0) AS "+n)
			sums = append(sums, "toString(max("+n+"))")
			continue
		}
		inner = append(inner, "sumIf(toInt128(sum"+strconv.Itoa(i)+"), code = 0) AS "+n)
		sums = append(sums, "toString(sum("+n+"))")
	}
	for i, reason := range p.reasons {
		n := "left" + strconv.Itoa(i+1)
		inner = append(inner, "countIf(code = "+strconv.Itoa(i+1)+") AS "+n)
		reasons = append(reasons, "'"+reason+"', sum("+n+")")
	}
	outer = append(outer, list("UInt64", marks)+" AS marks", list("String", sums)+" AS sums")
	if len(reasons) > 0 {
		outer = append(outer, "mapFilter((reason, rows) -> rows > 0, map("+strings.Join(reasons, ", ")+")) AS reasons")
	} else {
		outer = append(outer, "CAST(map(), 'Map(String, UInt64)') AS reasons")
	}
	if calendars {
		inner = append(inner, "groupUniqArrayIf(timed, code IN (0, "+open+")) AS timings")
		outer = append(outer, "arraySort(arrayFilter(c -> c != '', arrayMap(c -> toString(c), groupUniqArrayArray(timings)))) AS calendars")
	} else {
		outer = append(outer, list("String", nil)+" AS calendars")
	}
	over, running := list("Int64", nil), list("Int64", nil)
	if durations {
		inner = append(inner, "groupArrayIf(value, code = 0) AS overs")
		over = "any(overs)"
		if p.open > 0 {
			inner = append(inner, "groupArrayIf(value, code = "+open+") AS opens")
			running = "any(opens)"
		}
	}
	if len(p.keys) == 0 {
		outer = append(outer, over+" AS over", running+" AS open")
		sql := "SELECT toUInt8(1) AS whole, " + list("String", nil) + " AS keys, " + strings.Join(outer, ", ") + "\nFROM\n(\nSELECT " + strings.Join(inner, ", ") + "\nFROM\n(\n" + rows + "\n)\n)"
		return p.statement(sql), nil
	}
	groups, written := []string{}, []string{}
	for i, k := range p.keys {
		name := "key" + strconv.Itoa(i)
		groups, written = append(groups, name), append(written, k.written(name)+" AS text"+strconv.Itoa(i))
	}
	texts := make([]string, len(p.keys))
	for i := range texts {
		texts[i] = "text" + strconv.Itoa(i)
	}
	all := strings.Join(texts, ", ")
	none := "CAST([], 'Array(Int64)')"
	outer = append(outer, "if(whole = 1, "+none+", "+over+") AS over", "if(whole = 1, "+none+", "+running+") AS open")
	sql := "SELECT toUInt8(grouping(" + texts[0] + ") = 1) AS whole, if(whole = 1, " + list("String", nil) + ", [" + all + "]) AS keys, " + strings.Join(outer, ", ") +
		"\nFROM\n(\nSELECT " + strings.Join(written, ", ") + ", " + strings.Join(inner, ", ") + "\nFROM\n(\n" + rows + "\n)\nGROUP BY " + strings.Join(groups, ", ") +
		"\n)\nGROUP BY GROUPING SETS ((" + all + "), ())\nORDER BY whole DESC, keys ASC\nLIMIT " + strconv.Itoa(MaxGroups+2)
	return p.statement(sql), nil
}

// list is an array of a type.
func list(kind string, of []string) string {
	if len(of) == 0 {
		return "CAST([], 'Array(" + kind + ")')"
	}
	return "[" + strings.Join(of, ", ") + "]"
}

// After is a place in the list of rows: the row that comes after so many of an instant.
type After struct {
	At   schema.Instant
	Skip int64
}

// listed gives the rows of a query as they are listed: id, event, persona, profile, at, keys Array(String), code, hit, value.
func (d Definition) listed(q Query) (p plan, rows string, err error) {
	d = d.adapted(q)
	if p, err = d.plan(q); err != nil {
		return plan{}, "", err
	}
	keys := make([]string, len(p.keys))
	for i, k := range p.keys {
		keys[i] = k.written(k.group)
	}
	columns := []string{"id", p.subject.event + " AS event", "persona", "assumeNotNull(dated) AS at", list("String", keys) + " AS keys", p.code + " AS code", "toInt8(" + d.hit + ") AS hit", "toInt64(ifNull(" + p.value + ", 0)) AS value"}
	base := "  SELECT " + strings.Join(columns, ", ") + "\n  FROM (" + p.from + ")\n  WHERE " + p.where
	rows = p.whose(q, "b.id AS id, b.event AS event, b.persona AS persona, b.at AS at, b.keys AS keys, b.code AS code, b.hit AS hit, b.value AS value", base)
	if q.Latest {
		rows = p.latest("id, event, persona, at, keys, hit, value, profile", rows)
	}
	return p, rows, nil
}

// rows is listed as a statement.
func (d Definition) rows(q Query) (Statement, error) {
	p, rows, err := d.listed(q)
	if err != nil {
		return Statement{}, err
	}
	return p.statement(rows), nil
}

// List lists the rows of a query, by time: those that count and those that do not, with the reason. first bounds them; 0 is all.
func (d Definition) List(q Query, after *After, first int) (Statement, error) {
	if d.Employee {
		return Statement{}, fault("%s shows no rows: employees' answers are confidential", d.Name)
	}
	p, rows, err := d.listed(q)
	if err != nil {
		return Statement{}, err
	}
	unit := "value / 1000000"
	if d.Statistic == Net || d.Statistic == Share || d.Statistic == Corrected || d.Statistic == Voice {
		unit = "toFloat64(hit)"
	}
	reason := "''"
	if len(p.reasons) > 0 {
		reason = "['', '" + strings.Join(p.reasons, "', '") + "'][code + 1]"
	}
	sql := "SELECT id, event, persona, profile, at, keys, toUInt8(code = 0) AS counts, " + reason + " AS reason, " + unit + " AS value\nFROM\n(\n" + rows + "\n)"
	var conditions []string
	if after != nil {
		p.params["after"] = after.At
		conditions = append(conditions, "at >= {after:DateTime64(6)}")
	}
	if q.Keys != nil {
		p.params["keys"] = q.Keys
		conditions = append(conditions, "keys = {keys:Array(String)}")
	}
	if len(conditions) > 0 {
		sql += "\nWHERE " + strings.Join(conditions, " AND ")
	}
	sql += "\nORDER BY at ASC, id ASC, reason ASC, value ASC"
	if first > 0 {
		sql += "\nLIMIT " + strconv.Itoa(first)
	}
	if after != nil && after.Skip > 0 {
		sql += "\nOFFSET " + strconv.FormatInt(after.Skip, 10)
	}
	return p.statement(sql), nil
}
