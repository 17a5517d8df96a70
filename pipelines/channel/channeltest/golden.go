// Package channeltest runs the golden tests of mappers: files of inputs and what becomes of them.
package channeltest

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// Now is the receipt of every golden event.
var Now = schema.InstantOf(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))

// Sender is a write key of the source shop in the country FR.
func Sender(trust schema.Trust, limits channel.Limits) *channel.Sender {
	return &channel.Sender{
		Workspace: "main", Source: &channel.Source{Name: "shop", Country: "FR"}, Trust: trust, ReceivedAt: Now, Limits: limits,
		Sources: func(name string) *channel.Source {
			return &channel.Source{Name: name, Country: "DE", Channel: schema.ChannelCRM}
		},
		Persona: func(source string, trust schema.Trust, a schema.Account) (id schema.PersonaID) {
			copy(id[:], source+"/"+a.Kind+"/"+a.Value)
			return id
		},
		Epoch: func(schema.PersonaID) uint32 { return 2 },
	}
}

// Golden runs every *.txt of files: lines of JSON, each followed by what it becomes. A line that begins with # is a comment, with
// "context " the batch's context of the lines below it. A rewrite that is not nil is given each file as it should be, instead of the comparison.
func Golden(t *testing.T, files fs.FS, rewrite func(file, text string) error, run func(item, context canonical.Node, m *channel.Mapped) *schema.Refusal) {
	names, err := fs.Glob(files, "*.txt")
	if err != nil || len(names) == 0 {
		t.Fatal("there are no golden files", err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			text, err := fs.ReadFile(files, name)
			if err != nil {
				t.Fatal(err)
			}
			want, got := string(text), results(t, string(text), run)
			if rewrite != nil {
				if err := rewrite(name, got); err != nil {
					t.Fatal(err)
				}
				return
			}
			wantLines := strings.Split(want, "\n")
			for i, line := range strings.Split(got, "\n") {
				if i >= len(wantLines) || wantLines[i] != line {
					t.Fatalf("line %d is now\n%s", i+1, line)
				}
			}
			if got != want {
				t.Fatal("the file has more lines than its inputs make")
			}
		})
	}
}

func results(t *testing.T, text string, run func(item, context canonical.Node, m *channel.Mapped) *schema.Refusal) string {
	var out strings.Builder
	var context canonical.Node
	var m channel.Mapped // used again, as the collector does
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		shared, isContext := strings.CutPrefix(line, "context ")
		switch {
		case strings.HasPrefix(line, "#") || line == "":
			fmt.Fprintln(&out, line)
		case isContext:
			context = parse(t, shared)
			fmt.Fprintln(&out, line)
		case strings.HasPrefix(line, "\t"):
		default:
			fmt.Fprintln(&out, line)
			if r := run(parse(t, line), context, &m); r != nil {
				fmt.Fprintf(&out, "\trefused: %v\n", r)
				continue
			}
			describe(&out, &m)
		}
	}
	return out.String()
}

func parse(t *testing.T, text string) canonical.Node {
	doc, err := canonical.Parse([]byte(text), canonical.Limits{})
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return doc.Root()
}

// describe writes what is set, one member a line.
func describe(out *strings.Builder, m *channel.Mapped) {
	e := &m.Event
	write := func(name string, value any) {
		if text := fmt.Sprint(value); text != "" && text != "0" && text != "false" {
			fmt.Fprintf(out, "\t%s: %s\n", name, text)
		}
	}
	write("event", fmt.Sprintf("%s by %s, channel %s, source %s, %s key", e.Type, e.Actor, e.Channel, e.Source, e.Provenance.Trust))
	write("occurred", e.OccurredAt)
	write("receipt timed", e.Provenance.ReceiptTimed)
	write("skew", e.Skew)
	if m.OwnPersona {
		write("account", "of its own: "+e.Account.Kind)
	} else if e.Account.Kind != "" {
		write("account", e.Account.Kind+" "+e.Account.Value)
	}
	if !m.About.Persona.IsZero() {
		write("about", fmt.Sprintf("%s in epoch %d", m.About.Persona, m.About.Epoch))
	}
	for _, id := range e.Identifiers {
		write("identifier", strings.TrimSpace(fmt.Sprintf("%s %s, %s %s", id.Kind, id.Value, id.Assurance, id.SupersededBy)))
	}
	for _, trait := range e.Traits {
		write("trait", trait.Name+" "+string(trait.Value))
	}
	for _, c := range e.Consents {
		write("consent", fmt.Sprintf("%+v", c))
	}
	if a := e.Assertion; a != nil {
		write("assertion", fmt.Sprintf("%s/%d and %s/%d, of %s: %s", a.A.Persona, a.A.Epoch, a.B.Persona, a.B.Epoch, a.Of, a.Reason))
	}
	for _, member := range [][2]string{
		{"conversation", e.Conversation}, {"case", e.Case}, {"parent", e.Parent}, {"mention", e.Mention}, {"entity", e.Entity}, {"text", e.Text},
		{"language", e.Language}, {"rating", e.Rating}, {"rating scale", e.RatingScale}, {"amount", e.Amount}, {"currency", e.Currency}, {"name", e.Name},
		{"properties", string(e.Properties)}, {"actor id", e.ActorID}, {"message id", e.Provenance.MessageID}, {"country", e.Provenance.Country},
		{"library", e.Provenance.Library}, {"mapping", e.Provenance.Mapping},
	} {
		write(member[0], member[1])
	}
	write("fingerprint", hex.EncodeToString(m.Fingerprint[:6]))
	write("routing", hex.EncodeToString(m.Routing[:6]))
}
