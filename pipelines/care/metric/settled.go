package metric

import (
	"maps"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
)

// A settled table is read without removing old versions of rows: up to a version every id is known to have one row, since these rows lie in one part of the
// table, in which merging has left one of each. Only the few rows that came after it are looked through for the newest of each id, and hide the former ones.
// It is the same set of rows as the table's view gives, a third cheaper to find where the table is large.
//
// A statement over settled tables reads a table several times, so it must run on one snapshot of it (setting enable_shared_storage_snapshot_in_query).

// settledViews are the views that can be read so, with their tables and columns.
var settledViews = map[string]struct{ table, columns string }{
	schema.ViewCurrentConversations: {schema.TableConversations, "* EXCEPT (version, deleted)"},
	schema.ViewCurrentCases:         {schema.TableCases, "* EXCEPT (version, deleted)"},
	schema.ViewCurrentSurveys:       {schema.TableSurveys, "* EXCEPT (version, deleted)"},
	schema.ViewCurrentVerbatims:     {schema.TableVerbatims, "* EXCEPT (version, deleted)"},
	schema.ViewPersonaMap:           {schema.TablePersonaProfile, "workspace, persona, profile, version"},
}

// Tables lists those tables that the statement reads through their views, each once.
func (s Statement) Tables() (tables []string) {
	for _, view := range slices.Sorted(maps.Keys(settledViews)) {
		if strings.Contains(s.SQL, view) {
			tables = append(tables, settledViews[view].table)
		}
	}
	return tables
}

// Settled gives the statement over tables that are settled up to versions; others are read through their views.
func (s Statement) Settled(upTo map[string]uint64) Statement {
	out := Statement{s.SQL, maps.Clone(s.Params)}
	for _, view := range slices.Sorted(maps.Keys(settledViews)) {
		v := settledViews[view]
		version, ok := upTo[v.table]
		if !ok || !strings.Contains(s.SQL, view) {
			continue
		}
		key, parameter := "id", "settled_"+v.table
		if v.table == schema.TablePersonaProfile {
			key = "persona"
		}
		of := " FROM " + v.table + " WHERE workspace = {workspace:String} AND version "
		bound := "{" + parameter + ":UInt64}"
		out.Params[parameter] = version
		out.SQL = strings.ReplaceAll(out.SQL, view, "(SELECT "+v.columns+of+"<= "+bound+" AND deleted = 0 AND "+key+" NOT IN (SELECT "+key+of+"> "+bound+")"+
			" UNION ALL SELECT "+v.columns+" FROM (SELECT *"+of+"> "+bound+" ORDER BY version DESC LIMIT 1 BY "+key+") WHERE deleted = 0)")
	}
	return out
}
