package graphql_test

import (
	"context"
	"encoding/json"
	"syscall"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/graphql/graphqltest"
)

// ask runs a query that must be answered without an error.
func ask[T any](t testing.TB, s *graphql.Schema, r graphql.Request) (out T) {
	t.Helper()
	response := s.Execute(context.Background(), callerWith("read", "unmask"), r)
	if len(response.Errors) > 0 {
		t.Fatalf("%v", response.Errors[0])
	}
	if err := json.Unmarshal(response.Data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

const header = `query ($identifier: IdentifierInput!) { dossier(identifier: $identifier) {
 profile { id known quarantined firstContact lastContact } goldenRecord { name value source time assurance } identifiers { kind value assurance } consents { channel purpose state } } }`

const full = `query ($identifier: IdentifierInput!) { dossier(identifier: $identifier) {
 profile { id known quarantined firstContact lastContact }
 goldenRecord { name value source time assurance runnersUp { value source time assurance } }
 identifiers { kind value assurance sources firstSeen lastSeen }
 personas { id source trust accountKind account }
 consents { kind value channel purpose state source time }
 timeline(first: 50) { totalCount edges { node { id type channel actor source occurredAt name text entity conversation case rating amount currency } } }
 cases { id state } satisfaction { answers lastRating } value { orders spent { amount currency } }
 possibleMatches { profile reason kinds } } }`

// The resolvers and the library without any engine: what one dossier costs of a core.
func BenchmarkDossier(b *testing.B) {
	for name, query := range map[string]string{"header": header, "full50": full} {
		b.Run(name, func(b *testing.B) {
			s := schemaOver(b, graphqltest.Large(100, 50))
			request := graphql.Request{Query: query, Variables: map[string]any{"identifier": map[string]any{"kind": "email", "value": "person.42@example.com"}}}
			caller := callerWith("read", "unmask")
			b.ReportAllocs()
			before := cpu(b)
			for b.Loop() {
				if r := s.Execute(context.Background(), caller, request); len(r.Errors) > 0 {
					b.Fatal(r.Errors[0])
				}
			}
			b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

// cpu is what this process used so far: unlike the clock, it does not grow while others have the machine.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
