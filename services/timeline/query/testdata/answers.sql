SELECT person, count(), argMax(last_rating, (last_at, last_id)), argMax(last_scale, (last_at, last_id)), max(last_at)
FROM
(
  SELECT transform(persona, {personas:Array(UUID)}, {owners:Array(UInt32)}, 0) AS person, source, if(entity = '', toString(id), entity) AS subject, max(occurred_at) AS last_at,
    argMax(id, (occurred_at, id)) AS last_id, argMax(rating, (occurred_at, id)) AS last_rating, argMax(rating_scale, (occurred_at, id)) AS last_scale
  FROM events
WHERE workspace = {workspace:String} AND persona IN {personas:Array(UUID)} AND type IN ('survey.answered', 'review.published')
  GROUP BY person, source, subject
)
GROUP BY person
ORDER BY person
-- owners = [0 0 1]
-- personas = [01000000-0000-8000-8000-000000000000 02000000-0000-8000-8000-000000000000 03000000-0000-8000-8000-000000000000]
-- workspace = main
