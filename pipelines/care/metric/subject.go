package metric

// A subject is what one row of a metric is. Its SQL gives one row for each, with the columns of its table and, for those that need them, some
// more; {who} stands for a relation (member, holder) of who is who, {hashed} for the same of 64-bit hashes, by which people are told apart where they are
// only grouped and counted: that is twice as fast, and at ten million people two of them share one with a chance of 3 in a million.
type subject struct {
	name       string
	event      string // the event to look at
	from       string
	dimensions map[Dimension]string
	who        string   // the hash of the row's profile, where its rows have it; else it is looked up by the row's persona
	wider      *subject // the same rows with more dimensions, which cost more to find
	stamp      stamp    // versions that rows stand on; where it is zero, those of their calendars
}

// stamp is a column whose values are versions that a figure stands on, and what they are versions of.
type stamp struct{ name, column string }

func (s subject) stamped() stamp {
	if s.stamp.column == "" {
		return stamp{"calendar", s.dimensions[Calendar]}
	}
	return s.stamp
}

// columns that conversations and cases share as dimensions.
func attributes(more map[Dimension]string) map[Dimension]string {
	out := map[Dimension]string{
		Channel: "channel", Team: "team", Brand: "brand", Store: "store", Theme: "theme", Source: "source", Language: "language", Country: "country",
	}
	for d, column := range more {
		out[d] = column
	}
	return out
}

// heard adds the dimensions of what is said in the texts of a row.
func heard(more map[Dimension]string) map[Dimension]string {
	out := attributes(more)
	out[Polarity], out[Said], out[Gravity] = "polarity", "if(empty(themes), '', toString(themes[1]))", "verbatim_criticality"
	return out
}

var surveys = subject{
	name: "survey", event: "event",
	from: "SELECT *, toUInt8(type != 'survey.sent') AS answered FROM current_surveys WHERE workspace = {workspace:String}",
	dimensions: heard(map[Dimension]string{
		Touchpoint: "touchpoint", Instrument: instrument,
		Explained: explained,
	}),
	wider: &judged,
}

// judged are surveys with what the person had complained of before: complainants are shown apart (I6).
var judged = subject{
	name: "survey", event: "event",
	from: `SELECT s.*, toUInt8(s.type != 'survey.sent') AS answered,
    multiIf(empty(c.opened) OR c.opened[1] > s.answered_at, 'none', arrayExists(r -> r <= s.answered_at, c.resolved), 'after_resolution', 'before_resolution') AS complaint
  FROM current_surveys AS s
  ANY LEFT JOIN ({hashed}) AS w ON w.member = cityHash64(s.persona)
  LEFT JOIN
  (
    SELECT if(w.holder = 0, cityHash64(k.persona), w.holder) AS complainant, arraySort(groupArray(k.opened_at)) AS opened,
      groupArrayIf(assumeNotNull(k.first_resolved_at), isNotNull(k.first_resolved_at)) AS resolved
    FROM current_cases AS k ANY LEFT JOIN ({hashed}) AS w ON w.member = cityHash64(k.persona)
    WHERE k.workspace = {workspace:String} AND k.complaint = 1
    GROUP BY complainant
  ) AS c ON c.complainant = if(w.holder = 0, cityHash64(s.persona), w.holder)
  WHERE s.workspace = {workspace:String}`,
	dimensions: heard(map[Dimension]string{
		Touchpoint: "touchpoint", Instrument: instrument, Explained: explained, Complaint: "complaint",
	}),
}

const (
	instrument = "if(instrument_version = '', toString(instrument), concat(instrument, ' ', instrument_version))"
	explained  = "multiIf(isNull(explained), '', explained = 1, 'yes', 'no')"
)

var conversations = subject{
	name: "conversation", event: "id",
	from: "SELECT * FROM current_conversations WHERE workspace = {workspace:String}",
	dimensions: heard(map[Dimension]string{
		Queue: "queue", Tier: "tier", Priority: "priority", Calendar: "calendar",
	}),
}

// replies are the stretches in which a customer waited again, after the first reply: each that was answered, and the one that is not.
var replies = subject{
	name: "reply", event: "id",
	from: `SELECT *, stretch.1 AS asked, stretch.2 AS replied, stretch.3 AS due, stretch.4 AS open_span
  FROM (SELECT * FROM current_conversations WHERE workspace = {workspace:String})
  ARRAY JOIN arrayConcat(
    arraySlice(arrayMap((a, r, d, o) -> (a, toNullable(r), if(toUnixTimestamp64Micro(d) = 0, NULL, d), o), asked_at, replied_at, reply_due, reply_open), 2),
    if(isNotNull(waiting_since) AND isNotNull(first_reply_at), [(assumeNotNull(waiting_since), CAST(NULL, 'Nullable(DateTime64(6, \'UTC\'))'), next_reply_due, toInt64(-1))], [])) AS stretch`,
	dimensions: conversations.dimensions,
}

// contacts are conversations in which a customer asked a human, with the next of the same person about the same theme, on any channel.
var contacts = subject{
	name: "conversation", event: "id", who: "who",
	from: `SELECT *, leadInFrame(toNullable(asked)) OVER (PARTITION BY matter ORDER BY asked ASC, id ASC ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS next_asked
  FROM
  (
    SELECT c.*, micros(assumeNotNull(c.first_inbound_at)) AS asked, if(w.holder = 0, cityHash64(c.persona), w.holder) AS who, cityHash64(who, theme) AS matter
    FROM (SELECT * FROM current_conversations WHERE workspace = {workspace:String} AND isNotNull(first_inbound_at)) AS c
    ANY LEFT JOIN ({hashed}) AS w ON w.member = cityHash64(c.persona)
  )`,
	dimensions: conversations.dimensions,
}

var cases = subject{
	name: "case", event: "id",
	from: "SELECT * FROM current_cases WHERE workspace = {workspace:String}",
	dimensions: heard(map[Dimension]string{
		Queue: "queue", Tier: "tier", Priority: "priority", Calendar: "calendar", Complaint: "if(complaint = 1, 'yes', 'no')",
		Explained: explained,
	}),
}

// verbatims are texts of customers, as they are read now.
var verbatims = subject{
	name: "verbatim", event: "id",
	from:       "SELECT * FROM current_verbatims WHERE workspace = {workspace:String}",
	dimensions: read("polarity", "if(empty(themes), '', toString(themes[1]))"),
}

// themes are what texts are about: each text once for each of its themes, with the polarity of the clause that speaks of it.
var themes = subject{
	name: "theme of a verbatim", event: "id",
	from: `SELECT *, said.1 AS said_theme, said.2 AS said_polarity
  FROM (SELECT * FROM current_verbatims WHERE workspace = {workspace:String})
  ARRAY JOIN arrayZip(themes, theme_polarities) AS said`,
	dimensions: read("said_polarity", "said_theme"),
}

// read are the dimensions of texts.
func read(polarity, theme string) map[Dimension]string {
	return map[Dimension]string{
		Channel: "channel", Team: "team", Brand: "brand", Store: "store", Product: "product", Source: "source", Language: "language", Country: "country",
		Polarity: polarity, Said: theme, Gravity: "criticality",
	}
}

// displeased are people with a closed episode of dissatisfaction in the period, each by the first one, with what came after it: detractors,
// satisfaction of 1 or 2, complaints that were resolved.
var displeased = subject{
	name: "person", event: "event", who: "holding",
	from: `SELECT e.*, e.who AS holding, a.answers AS answers, a.good AS good, o.orders AS orders, k.complaints AS complaints,
    arrayExists(t -> t > began AND t <= began + INTERVAL 180 DAY, answers) AS answered_later,
    arrayExists(t -> t > began AND t <= began + INTERVAL 180 DAY, good) AS content_later,
    arrayExists(t -> t > began AND t <= began + INTERVAL 180 DAY, orders) AS bought_later,
    arrayExists(c -> c.1 > began AND c.1 <= began + INTERVAL 30 DAY AND c.2 = theme, complaints) AS complained_again
  FROM
  (
    SELECT who, at AS began, id, persona, event, theme, channel, team, brand, store, source, language, country, episode
    FROM
    (
      SELECT d.*, if(w.holder = 0, cityHash64(d.persona), w.holder) AS who
      FROM
      (
        SELECT id, persona, event, assumeNotNull(answered_at) AS at, toString(theme) AS theme, toString(channel) AS channel, toString(team) AS team, toString(brand) AS brand,
          toString(store) AS store, toString(source) AS source, toString(language) AS language, toString(country) AS country, 'survey' AS episode
        FROM current_surveys
        WHERE workspace = {workspace:String} AND employee = 0 AND isNotNull(answered_at) AND ` + unhappy + `
        UNION ALL
        SELECT id, persona, id, assumeNotNull(first_resolved_at), toString(theme), toString(channel), toString(team), toString(brand),
          toString(store), toString(source), toString(language), toString(country), 'complaint'
        FROM current_cases
        WHERE workspace = {workspace:String} AND complaint = 1 AND isNotNull(first_resolved_at)
      ) AS d
      ANY LEFT JOIN ({hashed}) AS w ON w.member = cityHash64(d.persona)
      WHERE at >= {from:DateTime64(6)} AND at < {to:DateTime64(6)}
    )
    ORDER BY at ASC, id ASC
    LIMIT 1 BY who
  ) AS e
  LEFT JOIN
  (
    SELECT if(w.holder = 0, cityHash64(s.persona), w.holder) AS who,
      groupArray(assumeNotNull(s.answered_at)) AS answers, groupArrayIf(assumeNotNull(s.answered_at), ` + happy + `) AS good
    FROM current_surveys AS s ANY LEFT JOIN ({hashed}) AS w ON w.member = cityHash64(s.persona)
    WHERE s.workspace = {workspace:String} AND s.employee = 0 AND isNotNull(s.answered_at) AND isNotNull(s.rating) AND s.instrument IN ('nps', 'csat')
    GROUP BY who
  ) AS a ON a.who = e.who
  LEFT JOIN ` + ordersByPerson + ` AS o ON o.who = e.who
  LEFT JOIN ` + complaintsByPerson + ` AS k ON k.who = e.who`,
	dimensions: attributes(map[Dimension]string{Complaint: "episode"}),
}

const (
	unhappy = "(instrument = 'nps' AND rating <= 6 AND scale_high = 10 OR instrument = 'csat' AND rating <= 2 AND scale_low = 1 AND scale_high = 5)"
	happy   = "(s.instrument = 'nps' AND s.rating >= 7 AND s.scale_high = 10 OR s.instrument = 'csat' AND s.rating >= 4 AND s.scale_low = 1 AND s.scale_high = 5)"

	// An order counts once, at its first version, for the person who placed it, unless it was cancelled.
	ordersByPerson     = `(SELECT who, groupArray(placed_at) AS orders FROM (` + standing + `) GROUP BY who)`
	complaintsByPerson = `(
    SELECT if(w.holder = 0, cityHash64(c.persona), w.holder) AS who, groupArray((c.opened_at, toString(c.theme))) AS complaints
    FROM current_cases AS c ANY LEFT JOIN ({hashed}) AS w ON w.member = cityHash64(c.persona)
    WHERE c.workspace = {workspace:String} AND c.complaint = 1
    GROUP BY who
  )`
)

// complainants are people by their first complaint in the period, with their orders.
var complainants = subject{
	name: "person", event: "id", who: "holding",
	from: `SELECT e.*, e.who AS holding, o.orders AS orders,
    arrayExists(t -> t <= began, orders) AS bought_before, arrayExists(t -> t > began AND t <= began + INTERVAL 180 DAY, orders) AS bought_later
  FROM
  (
    SELECT if(w.holder = 0, cityHash64(c.persona), w.holder) AS who, c.opened_at AS began,
      c.id AS id, c.persona AS persona, c.theme AS theme, c.channel AS channel, c.team AS team, c.brand AS brand, c.store AS store, c.source AS source,
      c.language AS language, c.country AS country
    FROM current_cases AS c ANY LEFT JOIN ({hashed}) AS w ON w.member = cityHash64(c.persona)
    WHERE c.workspace = {workspace:String} AND c.complaint = 1 AND c.opened_at >= {from:DateTime64(6)} AND c.opened_at < {to:DateTime64(6)}
    ORDER BY began ASC, id ASC
    LIMIT 1 BY who
  ) AS e
  LEFT JOIN ` + ordersByPerson + ` AS o ON o.who = e.who`,
	dimensions: attributes(nil),
}
