package chdb

import (
	"slices"
	"strings"
	"testing"
)

func TestParseStatement(t *testing.T) {
	for _, c := range []struct {
		sql  string
		want statement
	}{
		{"SELECT 1", statement{sql: "SELECT 1", route: streamed}},
		{"-- why\n/* and */ select 1;", statement{sql: "-- why\n/* and */ select 1;", route: streamed}},
		{"WITH 1 AS x SELECT x FORMAT JSON", statement{sql: "WITH 1 AS x SELECT x FORMAT JSON", route: streamed, format: "JSON"}},
		{"(SELECT 1)", statement{sql: "(SELECT 1)", route: streamed}},
		{"FROM t SELECT 1", statement{sql: "FROM t SELECT 1", route: streamed}},
		{"SELECT ';' , \"a;b\", `c;d`, $x$ ; $x$", statement{sql: "SELECT ';' , \"a;b\", `c;d`, $x$ ; $x$", route: streamed}},
		{"SELECT format('{}', 1)", statement{sql: "SELECT format('{}', 1)", route: streamed}},
		{"SELECT 'it''s', 'it\\'s; FORMAT X'", statement{sql: "SELECT 'it''s', 'it\\'s; FORMAT X'", route: streamed}},
		{"SELECT 1; SELECT 2", statement{sql: "SELECT 1; SELECT 2", route: streamed, many: true}},
		{"SHOW TABLES", statement{sql: "SHOW TABLES"}},
		{"USE x", statement{sql: "USE x", sticky: true}},
		{"SET a = 1", statement{sql: "SET a = 1", sticky: true}},
		{"CREATE TEMPORARY TABLE t (a Int8)", statement{sql: "CREATE TEMPORARY TABLE t (a Int8)", sticky: true}},
		{"CREATE OR REPLACE TEMPORARY TABLE t (a Int8)", statement{sql: "CREATE OR REPLACE TEMPORARY TABLE t (a Int8)", sticky: true}},
		{"CREATE TABLE t (a Int8)", statement{sql: "CREATE TABLE t (a Int8)"}},
		{"  -- nothing", statement{sql: "  -- nothing", empty: true}},
		{"INSERT INTO t (a, b) FORMAT Native", statement{sql: "INSERT INTO t (a, b)", route: fed, format: "Native"}},
		{"INSERT INTO d.t FORMAT TSV\n1\t2\n", statement{sql: "INSERT INTO d.t", route: fed, format: "TSV", inline: "1\t2\n"}},
		{"INSERT INTO t FORMAT TSV SETTINGS a=1, b='x', c=-1.5\n1\n", statement{sql: "INSERT INTO t SETTINGS a=1, b='x', c=-1.5", route: fed, format: "TSV", inline: "1\n"}},
		{"INSERT INTO t SETTINGS a=1 FORMAT JSONEachRow {\"a\":1}", statement{sql: "INSERT INTO t SETTINGS a=1", route: fed, format: "JSONEachRow", inline: "{\"a\":1}"}},
		{"INSERT INTO t VALUES (1)", statement{sql: "INSERT INTO t VALUES (1)"}},
		{"INSERT INTO t VALUES", statement{sql: "INSERT INTO t ", route: fed, format: "Values"}},
		{"INSERT INTO t", statement{sql: "INSERT INTO t", route: fed, format: "Values"}},
		{"INSERT INTO values (format) FORMAT CSV", statement{sql: "INSERT INTO values (format)", route: fed, format: "CSV"}},
		{"INSERT INTO `select` FORMAT CSV;", statement{sql: "INSERT INTO `select`", route: fed, format: "CSV"}},
		{"INSERT INTO t SELECT 1", statement{sql: "INSERT INTO t SELECT 1"}},
		{"INSERT INTO t (a) (SELECT 1)", statement{sql: "INSERT INTO t (a) (SELECT 1)"}},
		{"INSERT INTO TABLE FUNCTION null('a Int8') SELECT 1", statement{sql: "INSERT INTO TABLE FUNCTION null('a Int8') SELECT 1"}},
		{"INSERT INTO t WITH 1 AS x SELECT x; DROP TABLE t", statement{sql: "INSERT INTO t WITH 1 AS x SELECT x; DROP TABLE t", many: true}},
	} {
		if got := parseStatement(c.sql); got != c.want {
			t.Errorf("%q:\n got %+v\nwant %+v", c.sql, got, c.want)
		}
	}
}

func TestWithSettings(t *testing.T) {
	token := []setting{{"insert_deduplication_token", `it's \ one`}}
	for sql, want := range map[string]string{
		"INSERT INTO t (a) FORMAT Native":                  `INSERT INTO t (a) SETTINGS insert_deduplication_token = 'it\'s \\ one'`,
		"INSERT INTO t (settings) SETTINGS a=1 FORMAT TSV": `INSERT INTO t (settings) SETTINGS insert_deduplication_token = 'it\'s \\ one',  a=1`,
	} {
		s := parseStatement(sql)
		s.withSettings(token)
		if s.sql != want {
			t.Errorf("%q:\n got %s\nwant %s", sql, s.sql, want)
		}
	}
}

func FuzzParseStatement(f *testing.F) {
	for _, s := range []string{
		"SELECT 1", "INSERT INTO t FORMAT TSV SETTINGS a=1\n1", "INSERT INTO t (a, (b)) VALUES (1)", "$a$ $a$", "'\\", "/*", "INSERT", "INSERT INTO a.", "--", "`",
		"INSERT INTO t FORMAT TSV SETTINGS", "INSERT INTO t FORMAT",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		s := parseStatement(sql)
		if !strings.HasSuffix(sql, s.inline) && strings.TrimSpace(s.inline) != "" {
			t.Errorf("inline rows %q are no tail of %q", s.inline, sql)
		}
		if s.route != fed && s.sql != sql {
			t.Errorf("%q was changed to %q", sql, s.sql)
		}
		s.withSettings([]setting{{"a", "1"}})
	})
}

func TestRoundSeconds(t *testing.T) {
	for in, want := range map[string]string{"0": "0", "0.5": "1", "1": "1", "35": "40", "34.9": "40", "3600": "3600", "9000": "9000", "x": "x", "-1": "-1"} {
		if got := roundSeconds(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestAcceptedCoding(t *testing.T) {
	for in, want := range map[string]string{"": "", "gzip": "gzip", "gzip, deflate, br": "br", "br;q=0, gzip;q=0.5": "gzip", "identity": "", "ZSTD": "zstd"} {
		if got := acceptedCoding(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestExceptionText(t *testing.T) {
	code, text := exceptionText(refuse(60, "UNKNOWN_TABLE", "no such table"), "1.2")
	if code != 60 || text != "Code: 60. DB::Exception: no such table. (UNKNOWN_TABLE) (version 1.2 (official build))" {
		t.Error(code, text)
	}
	code, text = exceptionText(errConnect, "1.2")
	if code != codeUnknown || !strings.HasPrefix(text, "Code: 1002. DB::Exception: ") {
		t.Error(code, text)
	}
}

func TestSettingNames(t *testing.T) {
	for _, good := range []string{"max_threads", "merge_tree.x", "A1"} {
		if !validSettingName(good) {
			t.Error(good)
		}
	}
	for _, bad := range []string{"", "a b", "a=1, b", "é", "a'"} {
		if validSettingName(bad) {
			t.Error(bad)
		}
	}
}

func TestPoolKeysDiffer(t *testing.T) {
	keys := []string{
		poolKey("d", nil), poolKey("d", []setting{{"a", "1"}}), poolKey("d", []setting{{"a", "1"}, {"b", ""}}), poolKey("d", []setting{{"a", "1b"}}),
		poolKey("", []setting{{"d", ""}}),
	}
	slices.Sort(keys)
	if len(slices.Compact(keys)) != 5 {
		t.Error("two combinations share a key")
	}
}
