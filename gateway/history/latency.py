"""Latencies in buckets of fixed bounds on a logarithmic scale, so that percentiles need no rows and add up.

Bucket `b` holds [2^(b/8), 2^((b+1)/8)) milliseconds: each is 9 % wider than the one before, so that a percentile read
out of them is off by 4.5 % at most. What is below one millisecond is in bucket 0, what is above 2^24 ms in the last.
"""

from __future__ import annotations

from collections.abc import Mapping

PER_OCTAVE = 8
LAST = 24 * PER_OCTAVE


def bucket_sql(milliseconds: str) -> str:
    """The bucket of an SQL expression in milliseconds, as an SQL expression; NULL of NULL."""
    exact = f"floor(ln(greatest({milliseconds}, 1)) / ln(2::float8) * {PER_OCTAVE})"
    # greatest() and least() pass over a NULL.
    return f"CASE WHEN {milliseconds} IS NOT NULL THEN least({LAST}, {exact})::int2 END"


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """Milliseconds that `share` (0 to 1) of the values are not above; None without any. `counts` are by bucket."""
    wanted = share * sum(counts.values())
    seen = 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= wanted and counts[bucket]:
            return middle(bucket)
    return None


def mean(counts: Mapping[int, int]) -> float | None:
    """Milliseconds; None without any. `counts` are by bucket."""
    number = sum(counts.values())
    return sum(middle(bucket) * count for bucket, count in counts.items()) / number if number else None


def middle(bucket: int) -> float:
    """The geometric middle of a bucket, in milliseconds."""
    return float(2 ** ((bucket + 0.5) / PER_OCTAVE))
