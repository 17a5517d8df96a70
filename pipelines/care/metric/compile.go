package metric

import (
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

// who is who is now: a relation (member, holder). A persona that it does not know is a profile of its own.
const whoIsWho = "SELECT persona AS member, profile AS holder FROM persona_map WHERE workspace = {workspace:String}"

// words are what expressions may be written with.
var words = strings.NewReplacer(
	"{who}", whoIsWho, "{now}", "{now:DateTime64(6)}", "{within}", "{within:Int64}", "{window}", "{window:Int64}", "micros(", "toUnixTimestamp64Micro(",
)

// rows gives the rows of a query, each with what it counts for:
//
//	id, event, persona, profile, at, keys Array(String), calendar String, reason ("" if it counts), hit Int8, value Int64, marks Array(UInt8)
func (d Definition) rows(q Query) (Statement, error) {
	s, err := d.check(&q)
	if err != nil {
		return Statement{}, err
	}
	p := map[string]any{
		"workspace": q.Workspace, "now": q.Now, "zone": q.Zone, "within": q.Within, "window": q.Window, "from": q.From, "to": q.To,
	}
	if q.Zone == "" {
		p["zone"] = "UTC"
	}
	if q.Within == 0 {
		p["within"] = int64(defaultWithin)
	}
	if q.Window == 0 {
		p["window"] = int64(defaultWindow)
	}
	if q.From == 0 {
		p["from"] = schema.FirstTimelineInstant
	}
	if q.To == 0 {
		p["to"] = schema.EndTimelineInstant
	}
	at := d.happens
	if q.InForce(d) == Cohort {
		at = d.begins
	}
	value, reason := d.value, &strings.Builder{}
	reason.WriteString("multiIf(")
	for _, e := range d.leave {
		reason.WriteString(e.condition + ", '" + e.reason + "', ")
	}
	switch {
	case d.open != "" && q.OpenHours:
		value = d.hours
		reason.WriteString(d.open + ", '" + reasonOpenHours + "', ")
	case d.open != "":
		value = "if(" + d.open + ", " + d.running + ", " + d.value + ")"
		reason.WriteString(d.open + ", '" + reasonOpen + "', ")
	case q.OpenHours:
		value = d.hours
	}
	reason.WriteString("0, '', '')")
	if len(d.leave) == 0 && d.open == "" {
		reason.Reset()
		reason.WriteString("''")
	}
	keys := make([]string, len(q.By))
	for i, by := range q.By {
		keys[i] = "toString(" + s.dimensions[by] + ")"
		if s.dimensions[by] == "" {
			keys[i] = periods[by]
		}
	}
	conditions := []string{"isNotNull(dated)", "dated >= {from:DateTime64(6)}", "dated < {to:DateTime64(6)}"}
	for i, by := range slices.Sorted(maps.Keys(q.Where)) {
		name := "where" + strconv.Itoa(i)
		p[name] = q.Where[by]
		conditions = append(conditions, "has({"+name+":Array(String)}, toString("+s.dimensions[by]+"))")
	}
	calendar := "''"
	if s.dimensions[Calendar] != "" {
		calendar = "toString(" + s.dimensions[Calendar] + ")"
	}
	marks := make([]string, len(d.marks))
	for i, m := range d.marks {
		marks[i] = "toUInt8(ifNull(" + m + ", 0))"
	}
	markArray := "emptyArrayUInt8()"
	if len(marks) > 0 {
		markArray = "[" + strings.Join(marks, ", ") + "]"
	}
	keyArray := "emptyArrayString()"
	if len(keys) > 0 {
		keyArray = "[" + strings.Join(keys, ", ") + "]"
	}
	profiles := ""
	if q.Profiles != nil {
		p["profiles"] = q.Profiles
		profiles = "\nWHERE has({profiles:Array(UUID)}, profile)"
	}
	sql := `SELECT b.id AS id, b.event AS event, b.persona AS persona, if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), b.persona, m.holder) AS profile,
  b.at AS at, b.keys AS keys, b.calendar AS calendar, b.reason AS reason, b.hit AS hit, b.value AS value, b.marks AS marks
FROM
(
  SELECT id, ` + s.event + ` AS event, persona, assumeNotNull(dated) AS at, ` + keyArray + ` AS keys, ` + calendar + ` AS calendar,
    ` + reason.String() + ` AS reason, toInt8(` + d.hit + `) AS hit, toInt64(ifNull(` + value + `, 0)) AS value, ` + markArray + ` AS marks
  FROM (SELECT *, toNullable(` + at + `) AS dated FROM (` + s.from + `) WHERE ` + d.of + `)
  WHERE ` + strings.Join(conditions, " AND ") + `
) AS b
LEFT JOIN ({who}) AS m ON m.member = b.persona` + profiles
	if q.Latest {
		sql = `SELECT id, event, persona, profile, at, keys, calendar, if(reason = '' AND place > 1, '` + reasonSuperseded + `', reason) AS reason, hit, value, marks
FROM
(
  SELECT *, row_number() OVER (PARTITION BY profile, reason ORDER BY at DESC, id DESC) AS place
  FROM (` + sql + `)
)`
	}
	sql = words.Replace(sql)
	for name := range p {
		if !strings.Contains(sql, "{"+name+":") {
			delete(p, name)
		}
	}
	return Statement{sql, p}, nil
}

// Count counts the rows of each group, and of all together: one Tally a row, the one of all first, then by keys. Its columns are
//
//	all UInt8, keys Array(String), n, people, began UInt64, up, down UInt64, sum, squares Int128, marks Array(UInt64),
//	reasons Map(String, UInt64), calendars Array(String), over, open Array(Int64) (ascending)
func (d Definition) Count(q Query) (Statement, error) {
	rows, err := d.rows(q)
	if err != nil {
		return rows, err
	}
	over, open := "CAST([], 'Array(Int64)')", "CAST([], 'Array(Int64)')"
	if d.Unit == Seconds || d.Statistic == Bands {
		over, open = "arraySort(groupArrayIf(value, reason = ''))", "arraySort(groupArrayIf(value, reason = 'open'))"
	}
	aggregates := `countIf(reason = '') AS n, uniqExactIf(profile, reason IN ('', 'open')) AS people,
  countIf(reason = '' AND hit > 0) AS up, countIf(reason = '' AND hit < 0) AS down,
  toString(sumIf(toInt128(value), reason = '')) AS sum, toString(sumIf(toInt128(value) * value, reason = '')) AS squares,
  sumForEachIf(marks, reason = '') AS marks, sumMapIf(map(reason, toUInt64(1)), reason != '') AS reasons,
  arraySort(groupUniqArrayIf(calendar, calendar != '' AND reason IN ('', 'open'))) AS calendars,
  ` + over + ` AS over, ` + open + ` AS open`
	if len(q.By) == 0 {
		rows.SQL = "SELECT toUInt8(1) AS whole, emptyArrayString() AS keys, " + aggregates + "\nFROM\n(\n" + rows.SQL + "\n)"
		return rows, nil
	}
	rows.SQL = "SELECT toUInt8(grouping(keys) = 1) AS whole, keys, " + aggregates + "\nFROM\n(\n" + rows.SQL + "\n)\nGROUP BY GROUPING SETS ((keys), ())\nORDER BY whole DESC, keys ASC\nLIMIT " + strconv.Itoa(MaxGroups+2)
	return rows, nil
}

// After is a place in the list of rows: the row that comes after so many of an instant.
type After struct {
	At   schema.Instant
	Skip int64
}

// List lists the rows of a query, by time: those that count and those that do not, with the reason. first bounds them; 0 is all.
func (d Definition) List(q Query, after *After, first int) (Statement, error) {
	if d.Employee {
		return Statement{}, fault("%s shows no rows: employees' answers are confidential", d.Name)
	}
	rows, err := d.rows(q)
	if err != nil {
		return rows, err
	}
	unit := "value / 1000000"
	if d.Statistic == Net || d.Statistic == Share {
		unit = "toFloat64(hit)"
	}
	rows.SQL = "SELECT id, event, persona, profile, at, keys, toUInt8(reason = '') AS counts, reason, " + unit + " AS value\nFROM\n(\n" + rows.SQL + "\n)"
	var conditions []string
	if after != nil {
		rows.Params["after"] = after.At
		conditions = append(conditions, "at >= {after:DateTime64(6)}")
	}
	if q.Keys != nil {
		rows.Params["keys"] = q.Keys
		conditions = append(conditions, "keys = {keys:Array(String)}")
	}
	if len(conditions) > 0 {
		rows.SQL += "\nWHERE " + strings.Join(conditions, " AND ")
	}
	rows.SQL += "\nORDER BY at ASC, id ASC, reason ASC, value ASC"
	if first > 0 {
		rows.SQL += "\nLIMIT " + strconv.Itoa(first)
	}
	if after != nil && after.Skip > 0 {
		rows.SQL += "\nOFFSET " + strconv.FormatInt(after.Skip, 10)
	}
	return rows, nil
}
