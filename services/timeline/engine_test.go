package timeline

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
)

// startTable gives the tables of a fresh database.
func startTable(t testing.TB) ClickHouse {
	t.Helper()
	conn := clickhousetest.Start(t)
	if err := conn.Migrate(t.Context(), schema.Migrations()); err != nil {
		t.Fatal(err)
	}
	return ClickHouse{conn}
}

// sampleEvent makes an event of the size and shape of a tracked one.
func sampleEvent(r *rand.Rand, personas int, at schema.Instant) *schema.Event {
	e := &schema.Event{}
	e.Version, e.Workspace, e.Source = 1, "main", "shop"
	e.ID = schema.EventID(randomID(r))
	e.Persona[0], e.Persona[1], e.Persona[2], e.Persona[6], e.Persona[8] = 7, byte(r.IntN(personas)), byte(r.IntN(personas)>>8), 0x80, 0x80
	e.Key = schema.KeyID{Class: "standard", Year: at.Year()}
	e.OccurredAt, e.ReceivedAt, e.Skew = at, at+250_000, 1200
	e.Channel, e.Type, e.Actor = schema.ChannelWeb, schema.TypeTrackPerformed, schema.ActorCustomer
	e.Account = schema.Account{Kind: "user_id", Value: fmt.Sprintf("user-%d", r.IntN(personas))}
	e.Identifiers = []schema.Identifier{
		{Kind: "user_id", Value: e.Account.Value, Assurance: schema.AssuranceVerified},
		{Kind: "anonymous_id", Value: fmt.Sprintf("%x", r.Uint64()), Assurance: schema.AssuranceDeclared},
	}
	e.Traits = []schema.Trait{{Name: "plan", Value: []byte(`"premium"`)}, {Name: "city", Value: []byte(`"Paris"`)}}
	e.Name = "Product Viewed"
	e.Properties = fmt.Appendf(nil, `{"category":"shoes","currency":"EUR","price":%d.5,"productId":"p-%d","url":"https://shop.example/p/%d?utm_source=newsletter"}`, r.IntN(500), r.IntN(9000), r.IntN(9000))
	e.Amount, e.Currency = "12.50", "EUR"
	e.Provenance = schema.Provenance{Trust: schema.TrustServer, MessageID: fmt.Sprintf("m-%x", r.Uint64()), Mapping: "segment", Country: "FR", Library: "analytics-node 2.1.0"}
	return e
}

func randomID(r *rand.Rand) (id [16]byte) {
	for i := range id {
		id[i] = byte(r.Uint32())
	}
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return id
}

func sampleRows(n, personas int) []Row {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	rows := make([]Row, n)
	at := schema.InstantOf(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC))
	for i := range rows {
		rows[i] = Row{Position: schema.Position{Offset: int64(i)}, RecordedAt: at, Event: sampleEvent(r, personas, at+schema.Instant(i)*1000)}
	}
	return rows
}

func TestInsertSmoke(t *testing.T) {
	table := startTable(t)
	ctx := context.Background()
	rows := sampleRows(20000, 2000)
	var b builder
	t0 := time.Now()
	block := b.block(rows)
	t.Log("block", time.Since(t0))
	for i := range 5 {
		t0 = time.Now()
		if err := table.Insert(ctx, fmt.Sprint("t", i), block); err != nil {
			t.Fatal(err)
		}
		t.Log("insert", time.Since(t0))
	}
	var n uint64
	if err := table.Conn.QueryRow(ctx, "SELECT count() FROM events", nil, nil, &n); err != nil || n != 100000 {
		t.Fatal(n, err)
	}
	_ = clickhouse.Params{}
}
