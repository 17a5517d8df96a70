package query

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// RefitTexts reads texts with what people said of them: all that were corrected, or the newest that nobody has. Their order is that of their ids.
type RefitTexts struct {
	Workspace string
	Corrected bool
	Limit     int
}

// Statement gives persona, text, language as it was read, and the properties of the correction that counts.
func (q RefitTexts) Statement() Statement {
	which, properties, joined := "=", "''", ""
	if q.Corrected {
		which, properties = "!=", "c.properties"
		joined = "INNER JOIN (SELECT id, properties FROM events WHERE workspace = {workspace:String} AND type = 'verbatim.corrected') AS c ON c.id = t.correction\n"
	}
	chosen := "SELECT id, persona, language, correction FROM current_verbatims\n  WHERE workspace = {workspace:String} AND correction " + which + " toUUID('00000000-0000-0000-0000-000000000000')" +
		"\n  ORDER BY occurred_at DESC, id LIMIT {limit:UInt32}"
	return Statement{
		SQL: "SELECT t.persona, e.text, t.language, " + properties + "\nFROM\n(\n  " + chosen + "\n) AS t\n" +
			"INNER JOIN\n(\n  SELECT id, text FROM events\n  WHERE workspace = {workspace:String} AND text != '' AND persona IN (SELECT persona FROM (" + chosen + "))\n) AS e ON e.id = t.id\n" +
			joined + "ORDER BY t.id",
		Params: clickhouse.Params{"workspace": q.Workspace, "limit": q.Limit},
	}
}

// RefitTexts gives the texts that a refit learns from: the corrected ones, then the newest of those that nobody corrected.
func (r Reader) RefitTexts(ctx context.Context, workspace string) ([]verbatim.Corrected, error) {
	var out []verbatim.Corrected
	for _, q := range []RefitTexts{{workspace, true, verbatim.MaxRefitTexts - verbatim.AnchorTexts}, {workspace, false, verbatim.AnchorTexts}} {
		err := r.each(ctx, q.Statement(), func(rows *clickhouse.Rows) error {
			var persona uuid.UUID
			var language, properties string
			var t verbatim.Corrected
			if err := rows.Scan(&persona, &t.Text, &language, &properties); err != nil {
				return err
			}
			t.Language, _ = verbatim.ParseLanguage(language)
			t.Writer = binary.LittleEndian.Uint64(persona[:])
			if q.Corrected {
				c, refused := verbatim.ParseCorrection([]byte(properties))
				if refused != nil {
					return nil // of a later release: what it says is not known here
				}
				t.Polarity, t.Themes = c.Polarity, c.Themes
				if t.Polarity == nil && t.Themes == nil {
					return nil // its language or criticality were corrected: nothing to learn from
				}
			}
			out = append(out, t)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read the texts for a refit: %w", err)
		}
	}
	return out, nil
}
