"""Rate limits are sampled when they change, and now and then anyhow; what an answer said stands with it."""

from __future__ import annotations

import datetime

import pytest

from gateway.history.queries import detail
from gateway.models import RateLimitSample
from gateway.recording.limit_samples import AGAIN_AFTER, LimitSamples
from tests.exchanges import Sample, keep

NOON = datetime.datetime(2026, 11, 25, 12, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)


def test_only_what_is_new_is_kept() -> None:
    limits = LimitSamples()
    assert limits.new("org", [("left", "9"), ("limit", "10")], NOON) == [("left", "9"), ("limit", "10")]
    assert limits.new("org", [("left", "8"), ("limit", "10")], NOON + SECOND) == [("left", "8")]
    assert limits.new("other", [("limit", "10")], NOON + SECOND) == [("limit", "10")]
    assert limits.new("org", [("limit", "10")], NOON + AGAIN_AFTER) == [("limit", "10")]


def test_what_comes_late_is_kept() -> None:
    limits = LimitSamples()
    limits.new("org", [("left", "9")], NOON)
    assert limits.new("org", [("left", "9")], NOON - SECOND) == [("left", "9")]


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ("2026-11-25T12:00:10Z", "2026-11-25T12:00:50Z", False),
        ("2026-11-25T12:00:10Z", "2026-11-25T12:01:11Z", True),
        ("1795233794", "1795233795", False),
        ("1795233794", "1795251794", True),
        ("30", "29", True),
        ("6m0s", "5m59s", True),
        ("never", "2026-11-25T12:00:10Z", True),
        ("9" * 40, "8" * 40, True),
    ],
)
def test_a_time_that_moves_a_little_is_the_same(before: str, after: str, kept: bool) -> None:
    limits = LimitSamples()
    limits.new("org", [("unified-reset", before), ("left", before)], NOON)
    assert limits.new("org", [("unified-reset", after)], NOON + SECOND) == ([("unified-reset", after)] if kept else [])
    assert limits.new("org", [("left", after)], NOON + SECOND) == [("left", after)]


@pytest.mark.django_db
def test_every_answer_tells_its_limits_though_one_sample_is_kept() -> None:
    headers = [("content-type", "application/json"), ("anthropic-ratelimit-requests-limit", "4000")]
    ids = keep([Sample({"model": "m"}, [b"{}"], response_headers=headers, at=NOON) for _ in range(2)])
    assert RateLimitSample.objects.count() == 1
    assert [detail(id)["rate_limits"] for id in ids] == [{"anthropic-ratelimit-requests-limit": "4000"}] * 2
