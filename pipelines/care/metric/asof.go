package metric

import "strings"

// asOf puts in the place of the tables what they would hold if nothing had happened after an instant. A row of care is what all events of a conversation, case or
// survey came to, so that is not a filter: what happened later is taken back, column by column. What the row does not tell any more is left as it is, and touched,
// the last instant of the row as it is now, says whether there is something later; a metric whose rows need more than the columns can take back leaves those out
// (Definition.later, the reason changed_since). Words such as team and theme are those of now.
var asOf = strings.NewReplacer(
	"current_surveys", `(
    SELECT * REPLACE(if(was_answered > {asof}, if(was_first_answered <= {asof}, was_first_answered, NULL), was_answered) AS answered_at,
      if(was_first_answered > {asof} AND was_type = 'survey.answered', 'survey.sent', was_type) AS type)
    FROM (SELECT *, answered_at AS was_answered, ifNull(first_answered_at, answered_at) AS was_first_answered, toString(type) AS was_type, ifNull(answered_at, sent_at) AS touched FROM current_surveys)
    WHERE least(ifNull(sent_at, was_first_answered), ifNull(was_first_answered, sent_at)) <= {asof}
  )`,
	"current_conversations", `(
    SELECT * REPLACE(`+until("first_inbound_at", "first_reply_at", "last_reply_at", "answered_at", "abandoned_at", "first_peer_at", "first_staff_at", "accepted_at")+`,
      if(replied_later, NULL, first_reply_wait) AS first_reply_wait, if(replied_later, NULL, first_reply_open) AS first_reply_open,
      multiIf(asked_later, NULL, under_way > 0, toNullable(was_asked[under_way]), replied_later, was_inbound, waiting_since > {asof}, NULL, waiting_since) AS waiting_since,
      if(under_way > 0, nullIf(was_due[under_way], toDateTime64(0, 6, 'UTC')), next_reply_due) AS next_reply_due,
      arrayFilter((x, r) -> r <= {asof}, was_asked, was_replied) AS asked_at, arrayFilter((x, r) -> r <= {asof}, was_due, was_replied) AS reply_due,
      arrayFilter((x, r) -> r <= {asof}, reply_open, was_replied) AS reply_open, arrayFilter(r -> r <= {asof}, was_replied) AS replied_at,
      multiIf(touched <= {asof}, was_outcome, kind IN ('call', 'callback'), 'open', replied_later OR isNull(was_inbound) OR under_way > 0, 'waiting', 'answered') AS outcome)
    FROM
    (
      SELECT *, last_at AS touched, ifNull(first_reply_at > {asof}, 0) AS replied_later, ifNull(first_inbound_at > {asof}, 0) AS asked_later, first_inbound_at AS was_inbound, toString(outcome) AS was_outcome,
        asked_at AS was_asked, replied_at AS was_replied, reply_due AS was_due, arrayFirstIndex((a, r) -> a <= {asof} AND r > {asof}, asked_at, replied_at) AS under_way
      FROM current_conversations WHERE opened_at <= {asof}
    )
  )`,
	"current_cases", `(
    SELECT * REPLACE(`+until("first_inbound_at", "first_reply_at", "first_resolved_at", "last_resolved_at", "last_reopened_at")+`,
      if(replied_later, NULL, first_reply_wait) AS first_reply_wait, if(replied_later, NULL, first_reply_open) AS first_reply_open,
      if(resolved_later, NULL, resolution_wait) AS resolution_wait, if(resolved_later, NULL, resolution_open) AS resolution_open)
    FROM
    (
      SELECT *, ifNull(first_reply_at > {asof}, 0) AS replied_later, ifNull(first_resolved_at > {asof}, 0) AS resolved_later,
        greatest(last_contact_at, ifNull(last_resolved_at, opened_at), ifNull(last_reopened_at, opened_at), ifNull(first_resolved_at, opened_at)) AS touched
      FROM current_cases WHERE opened_at <= {asof}
    )
  )`,
	"current_mentions", "(SELECT * FROM current_mentions WHERE occurred_at <= {asof})",
	"FROM events AS e WHERE ", "FROM events AS e WHERE e.occurred_at <= {asof} AND ",
	"FROM events WHERE ", "FROM events WHERE occurred_at <= {asof} AND ",
)

// until takes back instants that are later.
func until(columns ...string) string {
	for i, c := range columns {
		columns[i] = "if(" + c + " > {asof}, NULL, " + c + ") AS " + c
	}
	return strings.Join(columns, ", ")
}
