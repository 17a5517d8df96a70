package query

import (
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// Cases gives the state of each case of several people, by its latest event: an entity is counted once, however often it was sent.
type Cases struct {
	Workspace string
	People    [][]schema.PersonaID
	Past      Past
}

// Statement gives person, case, its earliest event, type of the latest of opened, resolved and reopened ("" if none), the first opening, the latest
// resolution, the last contact, and whether there was an opening and a resolution.
func (q Cases) Statement() Statement {
	s := about(q.Workspace, q.People).then(q.Past)
	return s.statement("SELECT " + s.person + " AS person, case_id, argMin(id, (occurred_at, id)) AS earliest,\n" +
		"  argMaxIf(type, (occurred_at, id), type IN ('case.opened', 'case.resolved', 'case.reopened')) AS latest,\n" +
		"  minIf(occurred_at, type = 'case.opened') AS opened, maxIf(occurred_at, type = 'case.resolved') AS resolved, max(occurred_at) AS contact,\n" +
		"  countIf(type = 'case.opened') > 0 AS has_opened, countIf(type = 'case.resolved') > 0 AS has_resolved\n" +
		"FROM events" + s.where() + " AND case_id != ''\nGROUP BY person, case_id\nORDER BY person, contact DESC, case_id")
}

// Answers sums up what several people answered in surveys and reviews. An entity counts once, by its latest version.
type Answers struct {
	Workspace string
	People    [][]schema.PersonaID
	Past      Past
}

// Statement gives person, the number of answers, and the latest one's rating, scale and time.
func (q Answers) Statement() Statement {
	s := about(q.Workspace, q.People).then(q.Past)
	return s.statement("SELECT person, count(), argMax(last_rating, (last_at, last_id)), argMax(last_scale, (last_at, last_id)), max(last_at)\n" +
		"FROM\n(\n" +
		"  SELECT " + s.person + " AS person, source, if(entity = '', toString(id), entity) AS subject, max(occurred_at) AS last_at,\n" +
		"    argMax(id, (occurred_at, id)) AS last_id, argMax(rating, (occurred_at, id)) AS last_rating, argMax(rating_scale, (occurred_at, id)) AS last_scale\n" +
		"  FROM events" + s.where() + " AND type IN ('survey.answered', 'review.published')\n" +
		"  GROUP BY person, source, subject\n" +
		")\nGROUP BY person\nORDER BY person")
}

// LastContacts gives the first and last contact of several people.
type LastContacts struct {
	Workspace string
	People    [][]schema.PersonaID
}

// Statement gives person, the number of events, and the first and last of their times.
func (q LastContacts) Statement() Statement {
	s := about(q.Workspace, q.People)
	return s.statement("SELECT " + s.person + " AS person, count(), min(occurred_at), max(occurred_at)\nFROM events" + s.where() + "\nGROUP BY person\nORDER BY person")
}

// Count counts the events of a workspace. It reads one column of it.
type Count struct{ Workspace string }

// Statement gives the number of events.
func (q Count) Statement() Statement {
	return Statement{"SELECT count() FROM events WHERE workspace = {workspace:String}", clickhouse.Params{"workspace": q.Workspace}}
}

// Positions gives the newest log position of each partition that has a row. It scans two columns of the table: for the doctor, and not
// for every read, since the role knows better how far it is.
type Positions struct{ Generation uint32 }

// Statement gives partition, the highest offset and its RecordedAt.
func (q Positions) Statement() Statement {
	return Statement{
		"SELECT log_partition, max(log_offset), max(recorded_at)\nFROM events\nWHERE log_generation = {generation:UInt32}\nGROUP BY log_partition\nORDER BY log_partition",
		clickhouse.Params{"generation": q.Generation},
	}
}

// MapVersion gives the highest version of the persona map.
type MapVersion struct{}

// Statement gives the version; 0 if the map is empty.
func (MapVersion) Statement() Statement {
	return Statement{SQL: "SELECT max(version) FROM persona_profile"}
}
