package sql

import (
	"slices"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	g := gate{map[string]bool{"file": true, "url": true, "merge": true, "remote": true, "numbers": true, "view": true, "catboostevaluate": true}}
	for _, sql := range []string{
		"SELECT count() FROM v_events",
		"  -- Metabase\n/* a comment */ select profile, sum(amount) AS total from `dossier`.`v_orders` group by profile",
		"(SELECT 1) UNION ALL (SELECT 2)",
		"WITH c AS (SELECT * FROM v_cases) SELECT * FROM c",
		"SHOW TABLES", "DESCRIBE v_events", "EXPLAIN SELECT 1", "EXISTS v_events",
		"SELECT * FROM system.tables", "SELECT name FROM `system`.`columns` WHERE table = 'v_events'", "SELECT * FROM numbers(10)",
		`SELECT match(text, '\\d+') FROM v_messages`, "SELECT file, url FROM (SELECT 1 AS file, 2 AS url)", "SELECT 'événements', eventsOf FROM (SELECT 1 AS eventsOf)",
	} {
		if err := g.check(sql); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
	for _, sql := range []string{
		"", ";", "INSERT INTO v_events SELECT 1", "DROP VIEW v_events", "ALTER TABLE v_events DELETE WHERE 1", "SYSTEM SHUTDOWN", "KILL QUERY WHERE 1",
		"SET readonly = 0", "USE system", "CREATE TABLE x (a Int) ENGINE = Memory", "/* SELECT */ DROP VIEW v_events", "-- SELECT\nDROP VIEW v_events",
		"SELECT * FROM events", "SELECT * FROM dossier.events", "SELECT * FROM `events`", `SELECT * FROM "events"`, "SELECT * FROM dossier/**/./**/events",
		"SELECT 1 IN events", "SELECT * FROM persona_profile FINAL", "SELECT * FROM persona_map", "SELECT * FROM dossier_migrations", "DESCRIBE events", "SHOW CREATE TABLE events",
		"SELECT * FROM (SELECT 1) AS a, events", "SELECT 'a' -- '\n FROM events", "SELECT $$ ' $$, * FROM events", "SELECT * FROM events UNION ALL (WITH events AS (SELECT 1) SELECT * FROM events)",
		"SELECT * FROM `e\\x76ents`", `SELECT * FROM "e\x76ents"`, "SELECT * FROM {t:Identifier}", "SELECT * FROM {t: identifier}",
		"SELECT * FROM system.processes", "SELECT * FROM system.query_log", "SELECT * FROM system . `parts`", "SELECT * FROM system/**/.tables, system.processes", "SELECT * FROM `system`.processes",
		"SELECT * FROM system.tables2", "SHOW PROCESSLIST", "SELECT 1 INTO OUTFILE '/tmp/x'",
		"SELECT * FROM file('/etc/passwd')", "SELECT file('/etc/passwd')", "SELECT * FROM FILE ('x')", "SELECT * FROM `file`('x')", "SELECT * FROM url('http://x')", "SELECT * FROM v_events, remote('x', a, b)",
		"SELECT * FROM merge('dossier', '.*')", "SELECT * FROM view(SELECT 1)", "SELECT catboostEvaluate('m', 1)",
	} {
		if err := g.check(sql); err == nil {
			t.Errorf("passed on: %s", sql)
		}
	}
}

// What is passed on names no hidden table, however it is cut into words.
func FuzzCheck(f *testing.F) {
	g := gate{map[string]bool{"file": true}}
	for _, sql := range []string{"SELECT 1", "SELECT * FROM `events`", "-- \n(/* */ SELECT", "SELECT \x80 FROM system . one", "WITH a AS (SELECT 1) SELECT * FROM a, persona_map"} {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		if g.check(sql) != nil {
			return
		}
		words := strings.FieldsFunc(sql, func(r rune) bool {
			return !(r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80)
		})
		for _, name := range hidden {
			if slices.Contains(words, name) {
				t.Errorf("passed on: %q", sql)
			}
		}
	})
}
