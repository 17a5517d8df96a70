package query

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// A company is what group.joined names: the entity of the event, else Segment's groupId, else the property group_id. Its traits are those that calls state, each by the latest event
// that has it. The id is one namespace of a workspace, as user ids are.
const (
	companyID = "multiIf(entity != '', entity, JSONHas(properties, '$event', 'groupId'), trimBoth(JSONExtractRaw(properties, '$event', 'groupId'), '\"'), trimBoth(JSONExtractRaw(properties, 'group_id'), '\"'))"
	// Where the event states no member traits, its other properties are the company's.
	companyTraits = "multiIf(JSONHas(properties, '$event', 'traits'), JSONExtractRaw(properties, '$event', 'traits'), JSONHas(properties, 'traits'), JSONExtractRaw(properties, 'traits'), properties)"
	companyLeft   = "JSONExtractRaw(properties, 'left') IN ('true', '1', '\"true\"')"
	companyRows   = " FROM events WHERE workspace = {workspace:String} AND type = 'group.joined'"
)

// Companies lists companies by id, those that a search finds in their id or name.
type Companies struct {
	Workspace, Search, After string
	First                    int
}

// Statement gives the ids.
func (q Companies) Statement() Statement {
	return Statement{
		SQL: "SELECT company\nFROM\n(\n  SELECT " + companyID + " AS company, JSONExtractString(" + companyTraits + ", 'name') AS called, occurred_at, id" + companyRows + "\n)\n" +
			"WHERE company > {after:String}\nGROUP BY company\n" +
			"HAVING {search:String} = '' OR positionCaseInsensitiveUTF8(company, {search:String}) > 0 OR positionCaseInsensitiveUTF8(argMaxIf(called, (occurred_at, id), called != ''), {search:String}) > 0\n" +
			"ORDER BY company\nLIMIT {first:UInt32}",
		Params: clickhouse.Params{"workspace": q.Workspace, "search": q.Search, "after": q.After, "first": q.First},
	}
}

// Members gives who joined companies: persona by persona, with the latest call of each.
type Members struct {
	Workspace string
	IDs       []string
	Limit     int // of each company
}

// Statement gives company, persona, when it joined first, when it was last said, by which event, and whether that says that it has left.
func (q Members) Statement() Statement {
	return Statement{
		SQL: "SELECT company, persona, min(occurred_at), max(occurred_at), argMax(id, (occurred_at, id)), argMax(gone, (occurred_at, id))\nFROM\n(\n  SELECT " + companyID +
			" AS company, persona, occurred_at, id, " + companyLeft + " AS gone" + companyRows + "\n)\nWHERE company IN {ids:Array(String)}\nGROUP BY company, persona\nORDER BY company, persona\nLIMIT {limit:UInt32} BY company",
		Params: clickhouse.Params{"workspace": q.Workspace, "ids": q.IDs, "limit": q.Limit},
	}
}

// CompanyTraits gives what is said of companies.
type CompanyTraits struct {
	Workspace string
	IDs       []string
}

// Statement gives company, name, the value as JSON, when it was said and by which source.
func (q CompanyTraits) Statement() Statement {
	return Statement{
		SQL: "SELECT company, trait.1 AS name, argMax(trait.2, (occurred_at, id)), max(occurred_at), argMax(source, (occurred_at, id))\nFROM\n(\n  SELECT " + companyID + " AS company, source, occurred_at, id, arrayJoin(JSONExtractKeysAndValuesRaw(" +
			companyTraits + ")) AS trait" + companyRows + "\n)\nWHERE company IN {ids:Array(String)} AND name NOT IN ('left', 'group_id', '$event', '$context')\nGROUP BY company, name\nORDER BY company, name",
		Params: clickhouse.Params{"workspace": q.Workspace, "ids": q.IDs},
	}
}

// Joined gives the companies that personas of several people have joined.
type Joined struct {
	Workspace string
	People    [][]schema.PersonaID
}

// Statement gives person and company, those whose latest call does not say that the person has left.
func (q Joined) Statement() Statement {
	s := about(q.Workspace, q.People)
	return s.statement("SELECT person, company\nFROM\n(\n  SELECT " + s.person + " AS person, " + companyID + " AS company, occurred_at, id, " + companyLeft + " AS gone\n  FROM events" + s.where() +
		"\n    AND type = 'group.joined'\n)\nWHERE company != ''\nGROUP BY person, company\nHAVING NOT argMax(gone, (occurred_at, id))\nORDER BY person, company")
}

// Companies lists ids of companies.
func (r Reader) Companies(ctx context.Context, workspace, search, after string, first int) (ids []string, more bool, err error) {
	err = r.each(ctx, Companies{workspace, search, after, first + 1}.Statement(), func(rows *clickhouse.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	if more = len(ids) > first; more {
		ids = ids[:first]
	}
	return ids, more, err
}

// CompaniesByID gives companies in the order of their ids; one that nobody has joined is nil.
func (r Reader) CompaniesByID(ctx context.Context, workspace string, ids []string) ([]*graphql.Company, error) {
	of := map[string]*graphql.Company{}
	err := r.each(ctx, Members{workspace, ids, graphql.MaxCompanyPersonas + 1}.Statement(), func(rows *clickhouse.Rows) error {
		var id string
		var persona, event uuid.UUID
		var m graphql.Membership
		var left uint8
		if err := rows.Scan(&id, &persona, &m.JoinedAt, &m.LastAt, &event, &left); err != nil {
			return err
		}
		m.Persona, m.Event, m.Left = schema.ProfileID(persona), schema.EventID(event), left == 1
		c := of[id]
		if c == nil {
			c = &graphql.Company{ID: id}
			of[id] = c
		}
		if len(c.Members) == graphql.MaxCompanyPersonas {
			c.Truncated = true
			return nil
		}
		c.Members = append(c.Members, m)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = r.each(ctx, CompanyTraits{workspace, ids}.Statement(), func(rows *clickhouse.Rows) error {
		var id, raw string
		var t graphql.CompanyTrait
		if err := rows.Scan(&id, &t.Name, &raw, &t.At, &t.Source); err != nil {
			return err
		}
		t.Value = json.RawMessage(raw)
		if c := of[id]; c != nil {
			c.Traits = append(c.Traits, t)
		}
		return nil
	})
	out := make([]*graphql.Company, len(ids))
	for i, id := range ids {
		out[i] = of[id]
	}
	return out, err
}

// Joined gives the companies of each of several people, by id.
func (r Reader) Joined(ctx context.Context, workspace string, people [][]schema.PersonaID) ([][]string, error) {
	out := make([][]string, len(people))
	err := r.each(ctx, Joined{workspace, people}.Statement(), func(rows *clickhouse.Rows) error {
		var person uint32
		var id string
		err := rows.Scan(&person, &id)
		out[person] = append(out[person], id)
		return err
	})
	return out, err
}
