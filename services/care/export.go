package care

import (
	"context"
	"fmt"
	"io"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// exporting makes the engine write JSON that canonical form can be made of: plain numbers, RFC 3339 times, decimals as text.
var exporting = clickhouse.Settings{
	"output_format_json_quote_64bit_integers": 0,
	"output_format_json_quote_decimals":       1,
	"date_time_output_format":                 "iso",
}

// Export writes the current rows as canonical JSON, one a line: cases, then conversations, surveys, verbatims and mentions, each ascending by id. {"row":KIND,"values":{COLUMN:VALUE,…}}. The
// same bytes for the same set of events.
func Export(ctx context.Context, conn *clickhouse.Conn, workspace string, w io.Writer) error {
	for _, part := range []struct{ view, kind string }{
		{schema.ViewCurrentCases, "case"}, {schema.ViewCurrentConversations, "conversation"}, {schema.ViewCurrentSurveys, "survey"}, {schema.ViewCurrentVerbatims, "verbatim"},
		{schema.ViewCurrentMentions, "mention"},
	} {
		if err := export(ctx, conn, workspace, part.view, part.kind, w); err != nil {
			return fmt.Errorf("export %s: %w", part.view, err)
		}
	}
	return nil
}

func export(ctx context.Context, conn *clickhouse.Conn, workspace, view, kind string, w io.Writer) error {
	sql := "SELECT formatRow('JSONEachRow', * EXCEPT workspace) FROM " + view + " WHERE workspace = {workspace:String} ORDER BY toString(id)"
	rows, err := conn.Query(ctx, sql, clickhouse.Params{"workspace": workspace}, exporting)
	if err != nil {
		return err
	}
	defer rows.Close()
	var line []byte
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return err
		}
		doc, err := canonical.Parse([]byte(text), canonical.Limits{})
		if err != nil {
			return fmt.Errorf("read a row: %w", err)
		}
		line = append(line[:0], `{"row":`...)
		line = canonical.AppendString(line, kind)
		line = append(line, `,"values":`...)
		line = append(doc.Root().AppendCanonical(line, nil), '}', '\n')
		doc.Release()
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return rows.Err()
}
