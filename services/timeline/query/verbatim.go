package query

import (
	"context"
	"fmt"
	"math"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// Readings reads what was read in the texts of events.
type Readings struct {
	Workspace string
	IDs       []schema.EventID
}

// Statement reads the readings; events without a text of a customer are left out. The ids are the key of the table. The newest version of a row counts.
func (q Readings) Statement() Statement {
	return Statement{
		SQL: `SELECT id, language, polarity, confidence, unsure, truncated, act, emotion, themes, theme_polarities, theme_confidences, criticality, reasons, reason_words, model,
  correction, corrected_by, ifNull(toUnixTimestamp64Micro(corrected_at), 0)
FROM verbatims FINAL
WHERE workspace = {workspace:String} AND id IN {ids:Array(UUID)} AND deleted = 0`,
		Params: clickhouse.Params{"workspace": q.Workspace, "ids": q.IDs},
	}
}

// mayHaveText are the fields by which an interaction shows that it has no text of a customer; a type that was not read may have one.
func mayHaveText(i *graphql.Interaction) bool {
	switch i.Type {
	case schema.TypePageViewed, schema.TypeTrackPerformed, schema.TypeOrderPlaced, schema.TypeMessageSent, schema.TypeProfileIdentified:
		return false
	}
	return true
}

// verbatims adds what was read in the texts of interactions.
func (r Reader) verbatims(ctx context.Context, workspace string, interactions []*graphql.Interaction) error {
	of := map[schema.EventID]*graphql.Interaction{}
	var ids []schema.EventID
	for _, i := range interactions {
		if mayHaveText(i) {
			of[i.ID] = i
			ids = append(ids, i.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return r.each(ctx, Readings{workspace, ids}.Statement(), func(rows *clickhouse.Rows) error {
		var id schema.EventID
		var v graphql.Verbatim
		var language, polarity, act, emotion, criticality string
		var confidence float64
		var unsure, truncated uint8
		var themes, polarities, reasons, words []string
		var confidences []float64
		var corrected int64
		err := rows.Scan(&id, &language, &polarity, &confidence, &unsure, &truncated, &act, &emotion, &themes, &polarities, &confidences, &criticality, &reasons, &words, &v.Model,
			&v.Correction, &v.CorrectedBy, &corrected)
		if err != nil {
			return err
		}
		thousandths := func(share float64) uint16 { return uint16(math.Round(1000 * share)) }
		var ok [4]bool
		v.Language, _ = verbatim.ParseLanguage(language)
		v.Polarity, ok[0] = verbatim.ParsePolarity(polarity)
		v.Act, ok[1] = verbatim.ParseAct(act)
		v.Emotion, ok[2] = verbatim.ParseEmotion(emotion)
		v.Criticality, ok[3] = verbatim.ParseCriticality(criticality)
		if ok != [4]bool{true, true, true, true} || len(themes) != len(polarities) || len(themes) != len(confidences) || len(reasons) != len(words) {
			return schema.Classify(schema.Fatal, fmt.Errorf("the reading of event %s has words that this program does not know", id))
		}
		v.Confidence, v.Unsure, v.Truncated, v.CorrectedAt = thousandths(confidence), unsure == 1, truncated == 1, schema.Instant(corrected)
		for n, theme := range themes {
			said, known := verbatim.ParsePolarity(polarities[n])
			if !known {
				return schema.Classify(schema.Fatal, fmt.Errorf("the reading of event %s has a polarity that this program does not know", id))
			}
			v.Themes = append(v.Themes, verbatim.KeptTheme{ID: theme, Polarity: said, Confidence: thousandths(confidences[n])})
		}
		for n, code := range reasons {
			v.Reasons = append(v.Reasons, verbatim.Reason{Code: code, Words: words[n]})
		}
		if i := of[id]; i != nil {
			i.Verbatim = &v
		}
		return nil
	})
}
