package timeline

import (
	"context"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
)

// Table is ClickHouse as this role uses it. Errors are classed (schema.ClassOf): transient is tried again, rejected is the rows' own
// fault, everything else stops the role.
type Table interface {
	// Identity tells this events table from any other that stood, or will stand, in its place.
	Identity(ctx context.Context) (string, error)
	// Insert adds a block, whole or not at all. A block under a token that was used before adds nothing. After an error other than
	// rejected the block may be there all the same.
	Insert(ctx context.Context, token string, b *Block) error
	// Present calls yield for each position in the ranges whose row is in the events table. Offsets count on over the generations of
	// the log, so a partition and an offset name a position.
	Present(ctx context.Context, ranges []Range, yield func(partition int32, offset int64)) error
	// Index calls yield for every row of the events table, in no order.
	Index(ctx context.Context, yield func(Indexed) error) error
	// Since calls yield for every row whose offset is at or beyond next of its partition; of a partition that next does not name, every row.
	Since(ctx context.Context, next []int64, yield func(Indexed) error) error
	// Erased gives the rows that an erasure voids, by id and time.
	Erased(ctx context.Context, v Voided, yield func(Indexed) error) error
	// Erase deletes those rows, and the persona's entries of the map up to its closed epoch. When it returns they can no longer be read.
	Erase(ctx context.Context, v Voided) error
	// Expired gives the rows of retention classes and years, by id and time.
	Expired(ctx context.Context, workspace string, of []schema.ExpiredYear, yield func(Indexed) error) error
	// Expire deletes those rows. When it returns they can no longer be read.
	Expire(ctx context.Context, workspace string, of []schema.ExpiredYear) error
}

// Indexed is what the index keeps of a row.
type Indexed struct {
	ID         schema.EventID
	OccurredAt schema.Instant
	Epoch      uint32
	Position   schema.Position
}

// Erasure voids the events of personas that are of their closed epochs, of earlier ones, or that occurred at or before the cut-off.
type Erasure struct {
	Personas []schema.PersonaEpoch
	CutOff   schema.Instant
}

// Voided is an erasure in terms of the table.
type Voided struct {
	Workspace string
	Closed    []schema.ProfileID // public ids of the closed epochs
	Current   []schema.ProfileID // public ids of the epochs after them: only their rows up to the cut-off are void
	CutOff    schema.Instant
}

// Letter is an event that the table cannot hold. The same position may come twice: it is the same letter.
type Letter struct {
	Position   schema.Position
	RecordedAt schema.Instant
	Event      *schema.Event    // nil if it could not be decoded
	Record     *eventlog.Record // as it is in the log, only if it could not be decoded
	Reason     error            // a *schema.Refusal where there is a rule
}

// DeadLetters keeps letters.
type DeadLetters interface {
	// Put returns when the letter is durable.
	Put(ctx context.Context, l Letter) error
}
