package metric

import "strings"

// What is read of a past that was known at an instant stands in tables of its own, which hold what the tables would have held then: Query.Tables is how their names
// begin, and whoever sets it has made them. Rows of the timeline say themselves when they were recorded.
var knownTables = map[string]string{
	"current_conversations": "conversations", "current_cases": "cases", "current_surveys": "surveys", "current_verbatims": "verbatims",
	"current_mentions": "mentions", "persona_map": "personas",
}

// KnownTables names the tables that hold what was known at an instant, by the name of what each stands for.
func KnownTables(prefix string) map[string]string {
	out := map[string]string{}
	for of, name := range knownTables {
		out[of] = prefix + name
	}
	return out
}

// known puts tables of the past in the place of those of the present.
func known(sql, prefix string) string {
	pairs := []string{
		"FROM events AS e WHERE ", "FROM events AS e WHERE e.recorded_at <= {known:DateTime64(6)} AND ",
		"FROM events WHERE ", "FROM events WHERE recorded_at <= {known:DateTime64(6)} AND ",
	}
	for of, name := range KnownTables(prefix) { // none is part of another
		pairs = append(pairs, of, name)
	}
	return strings.NewReplacer(pairs...).Replace(sql)
}
