package query

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
)

// millionEvents makes 1,000,000 events of 25,000 personas within the engine.
const millionEvents = `INSERT INTO events (workspace, persona, occurred_at, id, source, channel, type, actor, trust, retention, received_at, recorded_at,
  account_kind, account, identifiers, text, properties, provenance, log_generation, log_partition, log_offset)
SELECT 'main', toUUID(concat(leftPad(hex(toUInt32(cityHash64(number % 25000))), 8, '0'), '-0000-8000-8000-', leftPad(hex(toUInt32(number % 25000)), 12, '0'))),
  toDateTime64('2025-01-01 00:00:00', 6, 'UTC') + number * 40, generateUUIDv4(), 'shop', ['web', 'email', 'phone'][1 + number % 3],
  ['page.viewed', 'message.received', 'call.ended'][1 + number % 3], 'customer', 'server', 'standard', now64(6), now64(6),
  'user_id', concat('user-', toString(number % 25000)), concat('[{"assurance":"verified","kind":"user_id","value":"user-', toString(number % 25000), '"}]'),
  if(number % 3 = 1, concat('Bonjour, où en est ma commande ', hex(cityHash64(number)), ' ? ', repeat('Merci de votre réponse. ', 8)), ''),
  concat('{"category":"shoes","page":"', hex(cityHash64(number, 1)), '","url":"https://shop.example/p/', toString(number % 9000), '"}'),
  concat('{"mapping":"segment","messageId":"', hex(cityHash64(number, 2)), '"}'), 1, number % 4, intDiv(number, 4)
FROM numbers(1000000) SETTINGS max_insert_threads = 1, max_partitions_per_insert_block = 100`

// BenchmarkPage reads the newest 50 events of a person of three personas among a million events, and the person's figures: what a full
// dossier asks of the timeline.
func BenchmarkPage(b *testing.B) {
	conn := clickhousetest.Start(b)
	if err := conn.Migrate(b.Context(), schema.Migrations()); err != nil {
		b.Fatal(err)
	}
	if err := conn.Exec(b.Context(), millionEvents, nil, nil); err != nil {
		b.Fatal(err)
	}
	if err := conn.Exec(b.Context(), "OPTIMIZE TABLE events FINAL", nil, nil); err != nil {
		b.Fatal(err)
	}
	var personas []schema.PersonaID
	rows, err := conn.Query(b.Context(), "SELECT DISTINCT persona FROM events LIMIT 3000", nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	for rows.Next() {
		var p schema.PersonaID
		if err := rows.Scan(&p); err != nil {
			b.Fatal(err)
		}
		personas = append(personas, p)
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	reader, r := Reader{Conn: conn}, rand.New(rand.NewPCG(2, 2))
	person := func() [][]schema.PersonaID {
		p := make([]schema.PersonaID, 3)
		for i := range p {
			p[i] = personas[r.IntN(len(personas))]
		}
		return [][]schema.PersonaID{p}
	}
	for _, c := range []struct {
		name string
		read func() error
	}{
		{"page", func() error {
			_, err := reader.Pages(b.Context(), "main", person(), graphql.Filter{}, nil, 50, graphql.Wanted{})
			return err
		}},
		{"total", func() error {
			_, err := reader.Totals(b.Context(), "main", person(), graphql.Filter{})
			return err
		}},
		{"value", func() error {
			_, err := reader.Value(b.Context(), "main", person())
			return err
		}},
		{"cases", func() error {
			_, err := reader.Cases(b.Context(), "main", person())
			return err
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			times := make([]time.Duration, 0, b.N)
			for range b.N {
				start := time.Now()
				if err := c.read(); err != nil {
					b.Fatal(err)
				}
				times = append(times, time.Since(start))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
