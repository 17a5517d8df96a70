package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/dossier-cdp/dossier/schema"
)

// column of an event in Parquet, by the names of the timeline's SQL views. What an event has none of is null; identifiers, traits, consents, assertion,
// properties and provenance are canonical JSON; amounts and ratings are decimals as text, as they were given.
type columns struct {
	ID            string  `parquet:"id"`
	OccurredAt    int64   `parquet:"occurred_at,timestamp(microsecond)"`
	Type          string  `parquet:"type,dict"`
	Source        string  `parquet:"source,dict"`
	Channel       string  `parquet:"channel,dict"`
	Actor         string  `parquet:"actor,dict"`
	Persona       string  `parquet:"persona"`
	AccountKind   *string `parquet:"account_kind,optional,dict"`
	Account       *string `parquet:"account,optional"`
	ActorID       *string `parquet:"actor_id,optional"`
	Amount        *string `parquet:"amount,optional"`
	Assertion     *string `parquet:"assertion,optional"`
	CaseID        *string `parquet:"case_id,optional"`
	Consents      *string `parquet:"consents,optional"`
	Conversation  *string `parquet:"conversation,optional"`
	Currency      *string `parquet:"currency,optional,dict"`
	Entity        *string `parquet:"entity,optional"`
	Identifiers   *string `parquet:"identifiers,optional"`
	Language      *string `parquet:"language,optional,dict"`
	Mention       *string `parquet:"mention,optional"`
	Name          *string `parquet:"name,optional"`
	Parent        *string `parquet:"parent,optional"`
	Properties    *string `parquet:"properties,optional"`
	Rating        *string `parquet:"rating,optional"`
	RatingScale   *string `parquet:"rating_scale,optional,dict"`
	Retention     *string `parquet:"retention,optional,dict"`
	Text          *string `parquet:"text,optional"`
	Traits        *string `parquet:"traits,optional"`
	Trust         *string `parquet:"trust,optional,dict"`
	ReceivedAt    *int64  `parquet:"received_at,optional,timestamp(microsecond)"`
	RecordedAt    *int64  `parquet:"recorded_at,optional,timestamp(microsecond)"`
	Skew          *int64  `parquet:"skew,optional"`
	Provenance    *string `parquet:"provenance,optional"`
	LogGeneration *int64  `parquet:"log_generation,optional"`
	LogPartition  *int64  `parquet:"log_partition,optional"`
	LogOffset     *int64  `parquet:"log_offset,optional"`
}

// columnsOf reads a line of NDJSON.
func columnsOf(text []byte) (c columns, err error) {
	var e struct {
		ID, OccurredAt, Type, Source, Channel, Actor, Persona                          string
		Account                                                                        *struct{ Kind, Value *string }
		ActorID, Amount, Case, Conversation, Currency, Entity, Language, Mention, Name *string
		Parent, Rating, RatingScale, Retention, Text, Trust, ReceivedAt, RecordedAt    *string
		Assertion, Consents, Identifiers, Properties, Provenance, Traits               json.RawMessage
		Skew                                                                           *int64
		Position                                                                       *struct{ Generation, Offset, Partition int64 }
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return c, fmt.Errorf("read an event: %w", err)
	}
	raw := func(of json.RawMessage) *string {
		if of == nil {
			return nil
		}
		text := string(of)
		return &text
	}
	at, err := schema.ParseInstant(e.OccurredAt)
	if err != nil {
		return c, fmt.Errorf("read an event: %w", err)
	}
	c = columns{
		ID: e.ID, OccurredAt: int64(at), Type: e.Type, Source: e.Source, Channel: e.Channel, Actor: e.Actor, Persona: e.Persona,
		ActorID: e.ActorID, Amount: e.Amount, CaseID: e.Case, Conversation: e.Conversation, Currency: e.Currency, Entity: e.Entity,
		Language: e.Language, Mention: e.Mention, Name: e.Name, Parent: e.Parent, Rating: e.Rating, RatingScale: e.RatingScale,
		Retention: e.Retention, Text: e.Text, Trust: e.Trust, Skew: e.Skew,
		Assertion: raw(e.Assertion), Consents: raw(e.Consents), Identifiers: raw(e.Identifiers), Properties: raw(e.Properties),
		Provenance: raw(e.Provenance), Traits: raw(e.Traits),
	}
	if e.Account != nil {
		c.AccountKind, c.Account = e.Account.Kind, e.Account.Value
	}
	if p := e.Position; p != nil {
		c.LogGeneration, c.LogPartition, c.LogOffset = &p.Generation, &p.Partition, &p.Offset
	}
	for _, clock := range []struct {
		text *string
		to   **int64
	}{{e.ReceivedAt, &c.ReceivedAt}, {e.RecordedAt, &c.RecordedAt}} {
		if clock.text == nil {
			continue
		}
		at, err := schema.ParseInstant(*clock.text)
		if err != nil {
			return c, fmt.Errorf("read an event: %w", err)
		}
		micros := int64(at)
		*clock.to = &micros
	}
	return c, nil
}

// What a part holds. A row group is in memory until it is written.
const (
	partRows  = 200_000
	groupRows = 20_000
)

// noteName is the note of a folder's progress. Readers of folders pass over names that begin with an underscore.
const noteName = "_replay.json"

// Folder writes Parquet: PATH/part-00001.parquet and so on, in the order of the events. A part that has its name is whole. While the run is not
// finished, PATH/_replay.json says how far it has come.
type Folder struct {
	path     string
	rows     int64 // of a part
	part     *os.File
	writer   *parquet.GenericWriter[columns]
	inPart   int64
	progress Progress // what whole parts hold
	taken    Progress
}

// OpenFolder begins a folder, or carries on with one behind its last whole part.
func OpenFolder(path, question string) (*Folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, failed(err)
	}
	p, begun, err := resume(filepath.Join(path, noteName), question)
	if err != nil {
		return nil, err
	}
	names, err := os.ReadDir(path)
	if err != nil {
		return nil, failed(err)
	}
	f := &Folder{path: path, rows: partRows, progress: p, taken: p}
	for _, entry := range names {
		var number int
		if strings.HasPrefix(entry.Name(), noteName) {
			continue
		}
		if _, err := fmt.Sscanf(entry.Name(), "part-%d.parquet", &number); err != nil || !begun {
			return nil, fmt.Errorf("%s is not empty: choose another folder with --out, or empty it", path)
		}
		if number > p.Parts { // begun, or whole and not noted
			if err := os.Remove(filepath.Join(path, entry.Name())); err != nil {
				return nil, failed(err)
			}
		}
	}
	return f, nil
}

func (f *Folder) name(number int) string {
	return filepath.Join(f.path, fmt.Sprintf("part-%05d.parquet", number))
}

// Progress is how far the run has come: what a part holds that is not whole counts, and is lost by a crash.
func (f *Folder) Progress() *Progress { return &f.taken }

// Take adds a row.
func (f *Folder) Take(l Line) error {
	row, err := columnsOf(l.Text)
	if err != nil {
		return err
	}
	if f.writer == nil {
		if f.part, err = os.OpenFile(f.name(f.progress.Parts+1)+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600); err != nil {
			return failed(err)
		}
		f.writer = parquet.NewGenericWriter[columns](f.part, parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(groupRows),
			parquet.CreatedBy("dossier", "1", ""))
	}
	if _, err := f.writer.Write([]columns{row}); err != nil {
		return failed(err)
	}
	f.inPart++
	f.taken.Events, f.taken.After = f.taken.Events+1, l.At.String()
	if f.inPart < f.rows {
		return nil
	}
	return f.endPart()
}

// endPart gives a part its name and notes it.
func (f *Folder) endPart() error {
	if err := errors.Join(f.writer.Close(), f.part.Sync(), f.part.Close()); err != nil {
		return failed(err)
	}
	f.part, f.writer, f.inPart = nil, nil, 0
	f.taken.Parts++
	if err := os.Rename(f.name(f.taken.Parts)+".part", f.name(f.taken.Parts)); err != nil {
		return failed(err)
	}
	return f.note()
}

func (f *Folder) note() error {
	if err := f.taken.save(filepath.Join(f.path, noteName)); err != nil {
		return err
	}
	f.progress = f.taken
	return nil
}

// Save notes the end of the log before the first part. A part is durable when it is whole.
func (f *Folder) Save() error {
	if f.progress.End == f.taken.End {
		return nil
	}
	f.progress.End = f.taken.End
	return f.progress.save(filepath.Join(f.path, noteName))
}

// Finish ends the last part and removes the note. A run without events leaves one part without rows, which says what the columns are.
func (f *Folder) Finish() error {
	if f.writer != nil {
		if err := f.endPart(); err != nil {
			return err
		}
	}
	if f.taken.Parts == 0 {
		if err := f.empty(); err != nil {
			return err
		}
	}
	if err := os.Remove(filepath.Join(f.path, noteName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failed(err)
	}
	return syncFolder(f.path)
}

func (f *Folder) empty() error {
	part, err := os.OpenFile(f.name(1), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return failed(err)
	}
	if err := errors.Join(parquet.NewGenericWriter[columns](part).Close(), part.Sync(), part.Close()); err != nil {
		return failed(err)
	}
	return nil
}

// Close lets go of a part that is not whole: the next run begins it anew.
func (f *Folder) Close() error {
	if f.part == nil {
		return nil
	}
	return f.part.Close()
}
