"""The statements that sum turns up into one row for each combination of what is told apart.

A bucket has the rows of its turns and, beside them, those of turns that were removed, and a day those of its hours and
of the parts of hours at its ends: a combination may have several rows, and who reads adds them up.
"""

from __future__ import annotations

from gateway.history.latency import bucket_sql

DIMENSIONS = ("provider", "model", "access_key", "team", "client", "status", "outcome")
TURNS = f"""
SELECT {{bucket}} AS bucket, r.provider, coalesce(r.model, r.routed_model, r.requested_model, '') AS model,
       r.access_key, r.team, r.client,
       coalesce(r.status_code::text, '') AS status, r.outcome,
       r.outcome <> 'completed' OR r.status_code >= 400 AS failed, r.request_bytes, r.is_streaming,
       s.usage IS NOT NULL AND s.cost_note <> 'not sent on' AS metered,
       s.cost_usd, s.cost_note, s.response_bytes, s.input_tokens, s.output_tokens,
       s.cache_read_tokens, s.cache_write_tokens, s.cache_write_1h_tokens, s.thinking_tokens,
       (s.server_tools->>'web_search')::bigint AS web_searches, s.duration_ms, s.first_byte_ms,
       {bucket_sql("s.duration_ms")} AS duration_bucket,
       {bucket_sql("s.first_byte_ms")} AS first_byte_bucket
FROM gateway_requestlog r JOIN gateway_responselog s ON s.id = r.id
WHERE r.id >= %(first)s AND r.id < %(beyond)s AND s.id >= %(first)s AND s.id < %(beyond)s
  AND {{which}}
  AND r.purpose = ANY(%(purposes)s)
"""  # noqa: S608
SUMS = """
count(*) AS requests, count(*) FILTER (WHERE failed) AS errors, count(*) FILTER (WHERE metered) AS metered,
count(*) FILTER (WHERE metered AND cost_usd IS NULL) AS unpriced,
count(*) FILTER (WHERE cost_usd IS NOT NULL AND cost_note <> '') AS partial,
sum(input_tokens)::bigint AS input_tokens, sum(output_tokens)::bigint AS output_tokens,
sum(cache_read_tokens)::bigint AS cache_read_tokens, sum(cache_write_tokens)::bigint AS cache_write_tokens,
sum(cache_write_1h_tokens)::bigint AS cache_write_1h_tokens, sum(thinking_tokens)::bigint AS thinking_tokens,
sum(web_searches)::bigint AS web_searches, sum(cost_usd) AS cost_usd, sum(request_bytes)::bigint AS request_bytes,
coalesce(sum(response_bytes), 0)::bigint AS response_bytes,
(sum(output_tokens) FILTER (WHERE paced))::bigint AS streamed_tokens,
sum(duration_ms - first_byte_ms) FILTER (WHERE paced) AS streaming_ms
"""
DIMENSION_LIST = ", ".join(DIMENSIONS)
SUM_COLUMNS = (
    "requests", "errors", "metered", "unpriced", "partial", "input_tokens", "output_tokens", "cache_read_tokens",
    "cache_write_tokens", "cache_write_1h_tokens", "thinking_tokens", "web_searches", "cost_usd", "request_bytes",
    "response_bytes", "streamed_tokens", "streaming_ms",
)  # fmt: skip
HISTOGRAM = """
SELECT part, array_agg(bucket ORDER BY bucket) AS buckets, array_agg(number ORDER BY bucket) AS counts
FROM (SELECT part, {name} AS bucket, count(*) AS number FROM turns WHERE {name} IS NOT NULL GROUP BY 1, 2) AS counted
GROUP BY part
"""
HISTOGRAM_COLUMNS = ("duration_buckets", "duration_counts", "first_byte_buckets", "first_byte_counts")
COLUMN_LIST = ", ".join((*DIMENSIONS, *SUM_COLUMNS, *HISTOGRAM_COLUMNS))
OF_TURNS = f"""
WITH read AS ({TURNS}),
turns AS (
    SELECT *, dense_rank() OVER (ORDER BY bucket, {DIMENSION_LIST}) AS part,
           is_streaming AND output_tokens > 0 AND duration_ms > first_byte_ms AS paced
    FROM read
),
sums AS (SELECT part, bucket, {DIMENSION_LIST}, {SUMS} FROM turns GROUP BY part, bucket, {DIMENSION_LIST}),
durations AS ({HISTOGRAM.format(name="duration_bucket")}),
first_bytes AS ({HISTOGRAM.format(name="first_byte_bucket")})
SELECT {{keys}}, {DIMENSION_LIST}, {", ".join(SUM_COLUMNS)},
    coalesce(durations.buckets, '{{{{}}}}'), coalesce(durations.counts, '{{{{}}}}'),
    coalesce(first_bytes.buckets, '{{{{}}}}'), coalesce(first_bytes.counts, '{{{{}}}}')
FROM sums LEFT JOIN durations USING (part) LEFT JOIN first_bytes USING (part)
"""  # noqa: S608
OF_REMOVED = f"""
SELECT {{keys}}, {COLUMN_LIST} FROM gateway_rollupremoved WHERE quarter >= %(start)s AND quarter < %(end)s
"""  # noqa: S608
QUARTER = """
date_bin('15 minutes',
         to_timestamp(('x' || translate(left(r.id::text, 13), '-', ''))::bit(48)::bigint / 1000.0), 'epoch')
"""
"""Of an id: UUIDv7s begin with milliseconds. Every zone's midnight is one of these."""


def insert(table: str, columns: str, keys: str) -> str:
    """Into a bucket whose keys are given: the sums of its turns, and those of turns that were removed."""
    of_turns = OF_TURNS.format(bucket="NULL::text", which="true", keys=keys)
    return f"INSERT INTO {table} ({columns}, {COLUMN_LIST}) {of_turns} UNION ALL {OF_REMOVED.format(keys=keys)}"


DAY_KEYS = "%(zone)s, %(day)s::date"
ADDED_HISTOGRAM = """
SELECT part, array_agg(bucket ORDER BY bucket) AS buckets, array_agg(number ORDER BY bucket) AS counts
FROM (SELECT part, bucket, sum(number)::bigint AS number
      FROM hours, unnest({name}_buckets, {name}_counts) AS counted (bucket, number) GROUP BY 1, 2) AS added
GROUP BY part
"""
OF_HOURS = f"""
WITH hours AS (
    SELECT *, dense_rank() OVER (ORDER BY {DIMENSION_LIST}) AS part FROM gateway_rolluphour
    WHERE hour >= %(first_hour)s AND hour < %(beyond_hour)s
),
sums AS (
    SELECT part, {DIMENSION_LIST}, {", ".join(f"sum({name}) AS {name}" for name in SUM_COLUMNS)}
    FROM hours GROUP BY part, {DIMENSION_LIST}
),
durations AS ({ADDED_HISTOGRAM.format(name="duration")}),
first_bytes AS ({ADDED_HISTOGRAM.format(name="first_byte")})
SELECT {DAY_KEYS}, {DIMENSION_LIST}, {", ".join(SUM_COLUMNS)},
    coalesce(durations.buckets, '{{}}'), coalesce(durations.counts, '{{}}'),
    coalesce(first_bytes.buckets, '{{}}'), coalesce(first_bytes.counts, '{{}}')
FROM sums LEFT JOIN durations USING (part) LEFT JOIN first_bytes USING (part)
"""  # noqa: S608

INSERT_HOUR = insert("gateway_rolluphour", "hour", "%(hour)s::timestamptz")
INSERT_DAY_OF_HOURS = f"INSERT INTO gateway_rollupday (zone, day, {COLUMN_LIST}) {OF_HOURS}"
INSERT_DAY_OF_TURNS = insert("gateway_rollupday", "zone, day", DAY_KEYS)
INSERT_REMOVED = (
    f"INSERT INTO gateway_rollupremoved (quarter, {COLUMN_LIST}) "
    + OF_TURNS.format(bucket=QUARTER, which="r.id = ANY(%(ids)s)", keys="sums.bucket")
)  # fmt: skip
