package identity

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// known makes track events of n users who come again and again, as the load generator does: server trust, user id and anonymous id, no traits.
func tracked(users, n int) []logged {
	out := make([]logged, n)
	for i := range out {
		u := i * 7919 % users
		e := contact("shop", "user_id", fmt.Sprintf("user-%06d", u), schema.TypeTrackPerformed, schema.Instant(i)*1000,
			schema.Identifier{Kind: "user_id", Value: fmt.Sprintf("user-%06d", u), Assurance: schema.AssuranceVerified},
			schema.Identifier{Kind: "anonymous_id", Value: fmt.Sprintf("anon-%06d", u), Assurance: schema.AssuranceVerified})
		out[i] = logged{event: e, at: schema.Instant(i + 1)}
	}
	return out
}

// strangers makes one identified event each of n people that nobody knew.
func strangers(n int) []logged {
	out := make([]logged, n)
	for i := range out {
		e := contact("shop", "user_id", fmt.Sprintf("user-%07d", i), schema.Instant(i)*1000,
			email(fmt.Sprintf("mail%07d@example.com", i)),
			schema.Identifier{Kind: "anonymous_id", Value: fmt.Sprintf("anon-%07d", i), Assurance: schema.AssuranceVerified},
			trait("first_name", []string{"Jean", "Marie", "Paul", "Anne"}[i%4]), trait("last_name", fmt.Sprint("Martin", i%1000)), trait("city", "Lyon"))
		out[i] = logged{event: e, at: schema.Instant(i + 1)}
	}
	return out
}

// benchmarkFold folds records in commits of a size, without the goroutines of a service.
func benchmarkFold(b *testing.B, records []logged, commit int) {
	log := newLog("c", 1)
	c := Config{Workspace: workspace, Log: log, Feed: log, Hash: NewHasher(prf), Store: state.Options{Logger: quiet}}
	p, err := openProjection(b.Context(), b.TempDir(), &c, identity.DefaultRules(), weighing{})
	must(b, err)
	p.built = true // as it is once a log was read: who is who is decided with each commit
	b.ReportAllocs()
	before := cpu()
	n := 0
	for b.Loop() {
		r := &records[n%len(records)]
		must(b, p.fold(&r.event, r.at))
		if n++; n%commit == 0 {
			must(b, p.commit())
		}
	}
	must(b, p.commit())
	b.ReportMetric(float64(cpu()-before)/float64(n)/1e3, "cpu-us/op")
	must(b, p.close())
}

// cpu is the CPU time of the process, compactions included: what counts on a machine that others use too.
func cpu() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func BenchmarkFoldKnown(b *testing.B)  { benchmarkFold(b, tracked(2000, 100_000), 4000) }
func BenchmarkFoldNew(b *testing.B)    { benchmarkFold(b, strangers(300_000), 4000) }
func BenchmarkFoldFreely(b *testing.B) { benchmarkFold(b, tracked(200_000, 400_000), 4000) }

// BenchmarkLookup reads a dossier's header: owner of an e-mail, profile, golden record, identifiers, consents.
func BenchmarkLookup(b *testing.B) {
	log := newLog("c", 1)
	log.add(0, strangers(100_000)...)
	s, err := Open(b.Context(), Config{Workspace: workspace, Folder: b.TempDir(), Log: log, Feed: log, Hash: NewHasher(prf), Store: state.Options{Logger: quiet}, Logger: quiet})
	must(b, err)
	go s.Run(b.Context())
	<-s.current.caught
	n, before := 0, cpu()
	for b.Loop() {
		v, err := s.View()
		must(b, err)
		o, err := v.Owners("email", fmt.Sprintf("mail%07d@example.com", n*7919%100_000), "")
		must(b, err)
		p, err := v.Profile(o.Profiles[0])
		must(b, err)
		if len(p.GoldenRecord()) != 3 || len(p.Identifiers()) != 3 || len(p.Consents(day)) != 0 {
			b.Fatalf("%d traits, %d identifiers", len(p.GoldenRecord()), len(p.Identifiers()))
		}
		must(b, v.Close())
		n++
	}
	b.ReportMetric(float64(cpu()-before)/float64(n)/1e3, "cpu-us/op")
}
