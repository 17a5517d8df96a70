package demo

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// Seed makes the demo workspace that 'make run' loads and the example queries ask about.
const Seed = 20250501

// People is how many customers the workspace has.
const People = 2000

// The first day of the workspace, and the day after its last.
var (
	Begin = time.Date(2025, 5, 1, 0, 0, 0, 0, time.UTC)
	End   = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
)

// Class says with which key an event is sent.
type Class uint8

// The classes of keys. A client event is a call of Segment's tracking API, a server event is native event JSON.
const (
	Server Class = 1
	Client Class = 2
)

// Summary counts what was generated, and says who is who.
type Summary struct {
	Events   int
	Client   int            // events of the client key
	Channels map[string]int // events by channel
	Sources  map[string]int // events by source
	Types    map[string]int // events by type
	Truth    *Truth
}

// Truth says which person stands behind each account.
type Truth struct {
	People   []Person
	accounts map[accountOf]int
}

type accountOf struct {
	source, kind, value string
	trust               schema.Trust
}

// several stands for an account that more than one person used, such as a family's tablet.
const several = -1

// Person finds who stands behind an account of a source. ok is false if the account is unknown or several people used it.
func (t *Truth) Person(source string, trust schema.Trust, a schema.Account) (index int, ok bool) {
	index, ok = t.accounts[accountOf{source, a.Kind, a.Value, trust}]
	return index, ok && index != several
}

// Accounts is the number of accounts that events were attributed to.
func (t *Truth) Accounts() int { return len(t.accounts) }

func (t *Truth) own(source string, trust schema.Trust, a account, person int) {
	key := accountOf{source, a.Kind, a.Value, trust}
	if was, known := t.accounts[key]; known && was != person {
		person = several
	}
	t.accounts[key] = person
}

// Generate calls emit with every event of the workspace that a seed makes, in the order in which they happened. What emit is given stays
// unchanged. An error of emit ends the generation and is returned.
func Generate(seed uint64, emit func(key Class, source string, event json.RawMessage) error) (Summary, error) {
	w := &world{seed: seed}
	w.summary = Summary{Channels: map[string]int{}, Sources: map[string]int{}, Types: map[string]int{}}
	w.truth = &Truth{accounts: map[accountOf]int{}}
	w.populate()
	for i := range w.people {
		w.live(&w.people[i])
	}
	if w.err != nil {
		return Summary{}, w.err
	}
	slices.SortStableFunc(w.events, func(a, b happening) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return strings.Compare(a.id, b.id)
	})
	for _, e := range w.events {
		if err := emit(e.class, e.source, e.text); err != nil {
			return Summary{}, err
		}
	}
	w.summary.Events = len(w.events)
	w.truth.People = w.people
	w.summary.Truth = w.truth
	return w.summary, nil
}

// world is a workspace being made.
type world struct {
	seed    uint64
	people  []Person
	events  []happening
	truth   *Truth
	summary Summary
	err     error
}

type happening struct {
	at     time.Time
	id     string
	class  Class
	source string
	text   json.RawMessage
}

// life is one person's part in the workspace: its own randomness, so that a change in one life leaves the others as they are.
type life struct {
	*world
	*Person
	chance
	sent     int      // events so far, for message ids
	browsers []string // anonymous ids of the person's own browsers
	orders   int      // orders so far, for their numbers
	cases    int
	threads  int // conversations, surveys and reviews so far
}

func (w *world) live(p *Person) {
	l := &life{world: w, Person: p, chance: chance{rand.New(rand.NewPCG(w.seed, uint64(p.Index)+1))}}
	l.join()
	l.consent()
	l.shop()
	l.stroll()
	l.speak()
}

// messageID is the id of the life's next event.
func (l *life) messageID() string {
	l.sent++
	return fmt.Sprintf("mg-%04d-%03d", l.Index, l.sent)
}

// chance draws at random.
type chance struct{ *rand.Rand }

// of says yes with a probability in per cent.
func (c chance) of(percent int) bool { return c.IntN(100) < percent }

// between draws from lo to hi, both included.
func (c chance) between(lo, hi int) int { return lo + c.IntN(hi-lo+1) }

func pick[T any](c chance, from []T) T { return from[c.IntN(len(from))] }
