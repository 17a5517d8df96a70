package care

import (
	"context"
	"fmt"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/pipelines/care/metric"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// Known folds contacts, all at once and beside the role, into tables of their own: what the role would have written had it read nothing else. It is for telling what
// was known at a time, when the log had recorded less. The rows are those of the same pure fold over the same sets, so they are the same.
//
// Contacts are kept in memory in their stored form, some 300 bytes each with their links, up to MostKnown.
type Known struct {
	rules *care.Rules
	ids   []schema.EventID
	raw   []string
	at    map[schema.EventID]int
	links map[care.Link]int // a contact that has it
	sets  []int             // of contacts that belong together, each by another of its set; its own at the root

	scratch []byte
	room    []care.Link
}

// MostKnown bounds the contacts that a Known takes.
const MostKnown = 1_000_000

// NewKnown makes one that folds by rules.
func NewKnown(rules *care.Rules) *Known {
	return &Known{rules: rules, at: map[schema.EventID]int{}, links: map[care.Link]int{}}
}

// Add takes a contact, in any order; a copy of one that is there changes nothing. It refuses more than MostKnown.
func (k *Known) Add(c *care.Contact) error {
	if _, copied := k.at[c.ID]; copied {
		return nil
	}
	n := len(k.ids)
	if n == MostKnown {
		return schema.Refuse("past_too_long", fmt.Sprintf("by then %d contacts or more were known, which is too many to fold for one answer", MostKnown),
			"ask as of what had happened (asOf), which reads the tables as they are")
	}
	k.scratch = care.AppendContact(k.scratch[:0], c)
	k.at[c.ID], k.ids, k.raw, k.sets = n, append(k.ids, c.ID), append(k.raw, string(k.scratch)), append(k.sets, n)
	k.room = c.Links(k.room[:0])
	for _, l := range k.room {
		if other, known := k.links[l]; known {
			a, b := k.root(other), k.root(n)
			k.sets[max(a, b)] = min(a, b)
		} else {
			k.links[l] = n
		}
	}
	return nil
}

func (k *Known) root(n int) int {
	for k.sets[n] != n {
		k.sets[n] = k.sets[k.sets[n]]
		n = k.sets[n]
	}
	return n
}

// Write makes the tables and fills them: those of metric.KnownTables(prefix) but the map of personas. They are in memory, so nothing of them is in any file. Whoever
// calls drops them (DropKnown), after an error, too.
func (k *Known) Write(ctx context.Context, conn *clickhouse.Conn, workspace, prefix string) error {
	tables := metric.KnownTables(prefix)
	views := [numTables]string{schema.ViewCurrentConversations, schema.ViewCurrentCases, schema.ViewCurrentSurveys, schema.ViewCurrentVerbatims, schema.ViewCurrentMentions}
	for n, view := range views {
		if err := conn.Exec(ctx, "CREATE TABLE "+tables[view]+" ENGINE = Memory EMPTY AS SELECT * FROM "+tableNames[n], nil, nil); err != nil {
			return fmt.Errorf("make a table of what was known: %w", err)
		}
	}
	sets := map[int][]int{}
	for n := range k.ids {
		sets[k.root(n)] = append(sets[k.root(n)], n)
	}
	folder := care.NewFolder(k.rules)
	conversations, cases := newBlock(conversationsTable, conversationColumns), newBlock(casesTable, caseColumns)
	surveys, verbatims := newBlock(surveysTable, surveyColumns), newBlock(verbatimsTable, verbatimColumns)
	mentions := newBlock(mentionsTable, mentionColumns)
	sent := 0
	flush := func() error {
		for n, b := range []*Block{conversations.done(), cases.done(), surveys.done(), verbatims.done(), mentions.done()} {
			if b.Rows == 0 {
				continue
			}
			sent++
			if err := conn.InsertBlock(ctx, tables[views[n]], b.Rows, b.Columns, fmt.Sprint(tables[views[n]], "/", sent), inserting); err != nil {
				return fmt.Errorf("write %d rows of what was known: %w", b.Rows, err)
			}
		}
		conversations, cases = newBlock(conversationsTable, conversationColumns), newBlock(casesTable, caseColumns)
		surveys, verbatims = newBlock(surveysTable, surveyColumns), newBlock(verbatimsTable, verbatimColumns)
		mentions = newBlock(mentionsTable, mentionColumns)
		return nil
	}
	var contacts []*care.Contact
	for _, set := range sets { // rows of one set say nothing of another
		contacts = contacts[:0]
		for _, n := range set {
			contact, err := care.ReadContact(k.ids[n], k.raw[n])
			if err != nil {
				return err // Unreachable: Add wrote it
			}
			contacts = append(contacts, &contact)
		}
		contacts = care.InOrder(contacts)
		rows := folder.Fold(contacts)
		put(conversations, workspace, rows.Conversations, func(r *care.Conversation) schema.EventID { return r.ID })
		put(cases, workspace, rows.Cases, func(r *care.Case) schema.EventID { return r.ID })
		put(surveys, workspace, rows.Surveys, func(r *care.Survey) schema.EventID { return r.ID })
		put(verbatims, workspace, rows.Verbatims, func(r *care.Verbatim) schema.EventID { return r.ID })
		put(mentions, workspace, rows.Mentions, func(r *care.Mention) schema.EventID { return r.ID })
		if conversations.rows+cases.rows+surveys.rows+verbatims.rows+mentions.rows < refoldRows {
			continue
		}
		if err := flush(); err != nil {
			return err
		}
	}
	return flush()
}

// put adds rows to a block.
func put[R any](b *block[R], workspace string, rows []R, of func(r *R) schema.EventID) {
	for i := range rows {
		b.encode(of(&rows[i]), &rows[i])
		b.add(workspace, 1, false)
	}
}

// DropKnown drops the tables whose names begin so, and waits until they are gone.
func DropKnown(ctx context.Context, conn *clickhouse.Conn, prefix string) error {
	for _, table := range metric.KnownTables(prefix) {
		if err := conn.Exec(ctx, "DROP TABLE IF EXISTS "+table+" SYNC", nil, nil); err != nil {
			return fmt.Errorf("drop a table of what was known: %w", err)
		}
	}
	return nil
}
