package rights

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// File is everything that is held of one person, each item with its origin: what the person may ask for, and what GDPR's articles 15 and 20 want.
type File struct {
	ProducedAt    string               `json:"producedAt"`
	Actor         string               `json:"actor"`
	Profile       string               `json:"profile"`
	Personas      []FilePersona        `json:"personas"`
	GoldenRecord  []FileTrait          `json:"goldenRecord"`
	Identifiers   []FileIdentifier     `json:"identifiers"`
	Consents      []FileConsent        `json:"consents"`
	Events        []json.RawMessage    `json:"events"`        // as 'dossier export events --clocks' writes them: source, channel, provenance and place in the log
	Conversations []json.RawMessage    `json:"conversations"` // concluded from the events, as are the next three
	Cases         []json.RawMessage    `json:"cases"`
	Surveys       []json.RawMessage    `json:"surveys"`
	Readings      []json.RawMessage    `json:"readings"`    // what was read in texts
	Mentions      []json.RawMessage    `json:"mentions"`    // what was said in public
	Segments      []json.RawMessage    `json:"segments"`    // entered and left
	DeadLetters   []FileLetter         `json:"deadLetters"` // refused inputs that name the person, or somebody with the same identifier
	Holds         []graphql.LegalHold  `json:"holds"`
	Shared        []graphql.SharedWith `json:"shared"` // other people who have the same identifiers
}

// FilePersona is one account.
type FilePersona struct {
	ID           string `json:"id"`
	Source       string `json:"source"`
	Trust        string `json:"trust"`
	AccountKind  string `json:"accountKind"`
	Account      string `json:"account"`
	FirstContact string `json:"firstContact"`
	LastContact  string `json:"lastContact"`
}

// FileTrait is what is believed, with what else was said.
type FileTrait struct {
	Name      string          `json:"name"`
	Value     json.RawMessage `json:"value"`
	Source    string          `json:"source"`
	Persona   string          `json:"persona"`
	Time      string          `json:"time"`
	Assurance string          `json:"assurance"`
	RunnersUp []FileTrait     `json:"runnersUp,omitempty"`
}

// FileIdentifier is a value by which the person is known.
type FileIdentifier struct {
	Kind      string   `json:"kind"`
	Value     string   `json:"value"`
	Assurance string   `json:"assurance"`
	Sources   []string `json:"sources"`
	FirstSeen string   `json:"firstSeen"`
	LastSeen  string   `json:"lastSeen"`
}

// FileConsent is what the person said about being contacted.
type FileConsent struct {
	Kind       string `json:"kind,omitempty"`
	Value      string `json:"value,omitempty"`
	Channel    string `json:"channel"`
	Purpose    string `json:"purpose"`
	State      string `json:"state"`
	Allowed    bool   `json:"allowed"`
	LegalBasis string `json:"legalBasis,omitempty"`
	Proof      string `json:"proof,omitempty"`
	Source     string `json:"source"`
	Time       string `json:"time"`
}

// FileLetter is a refused input.
type FileLetter struct {
	ID         string          `json:"id"`
	Source     string          `json:"source"`
	Endpoint   string          `json:"endpoint"`
	ReceivedAt string          `json:"receivedAt"`
	Code       string          `json:"code"`
	Payload    json.RawMessage `json:"payload,omitempty"`
	Raw        string          `json:"raw,omitempty"`
}

// Access gathers everything that is held of a person.
func (r *Rights) Access(ctx context.Context, c graphql.Caller, s graphql.Subject) (*File, error) {
	if err := r.Visible(ctx); err != nil {
		return nil, err
	}
	w, err := r.find(ctx, c.Workspace, s)
	if err != nil {
		return nil, err
	}
	if w == nil {
		return nil, unknown(s)
	}
	f := &File{ProducedAt: schema.InstantOf(r.Now()).String(), Actor: c.Actor, Profile: w.person.ID.String(), Holds: holdLines(r.holding(c.Workspace, w))}
	f.describe(w)
	if f.Shared, err = r.shared(ctx, c.Workspace, w); err != nil {
		return nil, err
	}
	if f.Events, err = r.eventsOf(ctx, c.Workspace, w); err != nil {
		return nil, err
	}
	if err := r.concluded(ctx, c.Workspace, w, f); err != nil {
		return nil, err
	}
	f.DeadLetters, err = r.lettersOf(ctx, c.Workspace, r.traces(w.values))
	return f, err
}

// describe adds what identity knows.
func (f *File) describe(w *whole) {
	p := w.person
	for i := range p.Personas {
		m := &p.Personas[i]
		f.Personas = append(f.Personas, FilePersona{
			m.ID.String(), m.Source, m.Trust.String(), m.Account.Kind, m.Account.Value, m.FirstContact.String(), m.LastContact.String(),
		})
	}
	trait := func(name string, c *graphql.Candidate) FileTrait {
		return FileTrait{Name: name, Value: c.Value, Source: c.Source, Persona: c.Persona.String(), Time: c.Time.String(), Assurance: c.Assurance.String()}
	}
	f.GoldenRecord = []FileTrait{}
	for i := range p.Traits {
		t := trait(p.Traits[i].Name, &p.Traits[i].Candidate)
		for j := range p.Traits[i].RunnersUp {
			t.RunnersUp = append(t.RunnersUp, trait(t.Name, &p.Traits[i].RunnersUp[j]))
		}
		f.GoldenRecord = append(f.GoldenRecord, t)
	}
	f.Identifiers = []FileIdentifier{}
	for i := range p.Identifiers {
		k := &p.Identifiers[i]
		f.Identifiers = append(f.Identifiers, FileIdentifier{k.Kind, k.Value, k.Assurance.String(), k.Sources, k.FirstSeen.String(), k.LastSeen.String()})
	}
	f.Consents = []FileConsent{}
	for i := range p.Consents {
		k := &p.Consents[i]
		f.Consents = append(f.Consents, FileConsent{
			k.Kind, k.Value, k.Channel.String(), k.Purpose, k.State.String(), k.Allowed, k.LegalBasis, k.Proof, k.Source, k.Time.String(),
		})
	}
}

// eventsOf reads the person's events from the log.
func (r *Rights) eventsOf(ctx context.Context, workspace string, w *whole) ([]json.RawMessage, error) {
	var personas []schema.PersonaID
	for _, p := range w.personas {
		personas = append(personas, p.Of.Persona)
	}
	var text bytes.Buffer
	if err := r.Events(ctx, workspace, personas, &text); err != nil {
		return nil, fmt.Errorf("read the person's events: %w", err)
	}
	return lines(&text)
}

func lines(r io.Reader) ([]json.RawMessage, error) {
	out := []json.RawMessage{}
	decoder := json.NewDecoder(r)
	for {
		var line json.RawMessage
		switch err := decoder.Decode(&line); {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, err
		}
		out = append(out, line)
	}
}

// concluded adds the rows of the tables that are made of the events.
func (r *Rights) concluded(ctx context.Context, workspace string, w *whole, f *File) error {
	params := clickhouse.Params{"workspace": workspace, "personas": w.ids(), "profile": uuid.UUID(w.person.ID)}
	const of = " WHERE workspace = {workspace:String} AND "
	const persona, personas = "persona IN {personas:Array(UUID)}", "(persona IN {personas:Array(UUID)} OR hasAny(personas, {personas:Array(UUID)}))"
	for _, part := range []struct {
		from, where string
		to          *[]json.RawMessage
	}{
		{schema.ViewCurrentConversations, personas, &f.Conversations},
		{schema.ViewCurrentCases, personas, &f.Cases},
		{schema.ViewCurrentSurveys, persona, &f.Surveys},
		{schema.ViewCurrentVerbatims, persona, &f.Readings},
		{schema.ViewCurrentMentions, persona, &f.Mentions},
		{schema.ViewCurrentChanges, "profile = {profile:UUID}", &f.Segments},
	} {
		rows, err := r.House.Stream(ctx, "SELECT * FROM "+part.from+of+part.where, params, nil, "JSONEachRow")
		if err != nil {
			return fmt.Errorf("read %s: %w", part.from, err)
		}
		*part.to, err = lines(rows)
		if err := errors.Join(err, rows.Close()); err != nil {
			return fmt.Errorf("read %s: %w", part.from, err)
		}
	}
	return nil
}

// maxLetterBytes bounds what the letters of one person's file hold.
const maxLetterBytes = 64 << 20

// lettersOf opens the dead letters that list one of the traces.
func (r *Rights) lettersOf(ctx context.Context, workspace string, traces []string) ([]FileLetter, error) {
	out := []FileLetter{}
	var failed error
	held := 0
	_, err := deadletter.List(ctx, r.Letters, deadletter.Filter{Workspace: workspace}, func(c *deadletter.Clear, record deadletter.Record) bool {
		if !slices.ContainsFunc(c.Hashes, func(h string) bool { return contains(traces, h) }) {
			return true
		}
		opened, err := deadletter.Open(record.Value, r.Keys)
		if errors.Is(err, seal.ErrPunched) {
			return true
		}
		if held += c.Bytes; err == nil && held > maxLetterBytes {
			err = &graphql.Error{Code: graphql.CodeTooLarge, Message: "more than 64 MiB of dead letters name this person", Hint: "drop or repair some: 'dossier deadletters list'"}
		}
		if err != nil {
			failed = err
			return false
		}
		letter := FileLetter{ID: c.ID, Source: c.Source, Endpoint: c.Endpoint, ReceivedAt: c.ReceivedAt, Code: c.Code}
		if json.Valid(opened.Raw) {
			letter.Payload = bytes.Clone(opened.Raw)
		} else {
			letter.Raw = string(opened.Raw)
		}
		out = append(out, letter)
		return true
	})
	return out, errors.Join(err, failed)
}
