package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// TestSQLReader: clickhouse-go, unmodified, as a reader: it reads the views and nothing else, and writes nothing.
func TestSQLReader(t *testing.T) {
	besideOthers(t)
	i := install(t)
	i.send(t, basic(i.WriteKey),
		json.RawMessage(`{"type":"profile.identified","channel":"crm","source":"crm","messageId":"1","occurredAt":"2026-01-01T00:00:00Z","account":{"kind":"crm_id","value":"7"},"identifiers":{"email":"ann@example.com"}}`),
		json.RawMessage(`{"type":"order.placed","channel":"web","source":"shop","messageId":"2","occurredAt":"2026-01-02T00:00:00Z","account":{"kind":"user_id","value":"a"},"identifiers":{"email":"ann@example.com"},"entity":"o1","amount":"10","currency":"EUR"}`),
		json.RawMessage(`{"type":"order.placed","channel":"web","source":"shop","messageId":"3","occurredAt":"2026-01-03T00:00:00Z","account":{"kind":"user_id","value":"a"},"identifiers":{"email":"ann@example.com"},"entity":"o1","amount":"12.50","currency":"EUR"}`),
		json.RawMessage(`{"type":"message.received","channel":"email","source":"crm","messageId":"4","occurredAt":"2026-01-04T00:00:00Z","account":{"kind":"crm_id","value":"7"},"text":"Où est mon colis ?"}`))
	i.wait(t)
	token := func(scopes ...string) string {
		args := []string{"tokens", "create", "--name", "bi", "--actor", "bi@example.com"}
		for _, s := range scopes {
			args = append(args, "--scope", s)
		}
		return decoded[struct{ Secret string }](t, []byte(i.must(t, args...))).Secret
	}
	open := func(password string) clickhouse.Conn {
		conn, err := clickhouse.Open(&clickhouse.Options{
			Protocol: clickhouse.HTTP, Addr: []string{strings.TrimPrefix(i.URL, "http://")}, HttpUrlPath: "sql",
			Auth:        clickhouse.Auth{Username: "bi", Password: password},
			Compression: &clickhouse.Compression{Method: clickhouse.CompressionLZ4},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	reader := open(token("read", "unmask"))
	if err := reader.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	var n uint64
	var amount, currency string
	if err := reader.QueryRow(t.Context(), "SELECT count(), any(toString(amount)), any(currency) FROM v_orders WHERE profile = {profile:UUID}", clickhouse.Named("profile", i.owner(t, "email", "ann@example.com"))).Scan(&n, &amount, &currency); err != nil {
		t.Fatal(err)
	}
	if n != 1 || amount != "12.5" || currency != "EUR" {
		t.Errorf("%d orders, %s %s", n, amount, currency)
	}
	rows, err := reader.Query(t.Context(), "SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, 'v_') ORDER BY name")
	if err != nil {
		t.Fatal(err)
	}
	var views []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		views = append(views, name)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(views) != "[v_cases v_events v_mentions v_messages v_orders v_personas v_profiles v_surveys v_verbatims]" {
		t.Errorf("views %v", views)
	}
	for _, view := range views {
		if err := reader.QueryRow(t.Context(), "SELECT count() FROM "+view).Scan(&n); err != nil {
			t.Errorf("%s: %v", view, err)
		}
		// An empty database's BI tool asks for the columns first.
		if err := reader.QueryRow(t.Context(), "SELECT count() FROM system.columns WHERE table = {view:String}", clickhouse.Named("view", view)).Scan(&n); err != nil || n < 3 {
			t.Errorf("%s has %d columns, %v", view, n, err)
		}
	}
	for _, statement := range []string{
		"SELECT * FROM events", "SELECT * FROM persona_profile", "SELECT * FROM dossier_migrations", "SELECT * FROM system.processes", "SELECT * FROM file('/etc/passwd', 'LineAsString')",
		"INSERT INTO v_events SELECT * FROM v_events", "CREATE TABLE mine (a Int8) ENGINE = Memory", "DROP VIEW v_events", "ALTER TABLE v_events DROP COLUMN id",
		"SELECT 1 SETTINGS max_execution_time = 10000", "SELECT sleepEachRow(3) FROM numbers(100) SETTINGS readonly = 0",
		"SELECT number FROM numbers(6000000)", "SELECT throwIf(1, 'stop')", "SELEC 1",
	} {
		rows, err := reader.Query(t.Context(), statement)
		if err == nil {
			for rows.Next() {
			}
			err = rows.Err()
			rows.Close()
		}
		if err == nil {
			t.Errorf("done as a reader: %s", statement)
		}
	}
	for name, password := range map[string]string{"no token": "wrong", "a token that may not see personal values": token("read"), "a write key": i.WriteKey} {
		if err := open(password).QueryRow(t.Context(), "SELECT count() FROM v_events").Scan(&n); err == nil || !strings.Contains(err.Error(), "AUTHENTICATION_FAILED") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
