"""Who is told what, and once."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.announcing.announce import announce
from gateway.models import AlertChannel, AlertRule, Announcement, Delivery

pytestmark = pytest.mark.django_db


def channel(name: str, **values: Any) -> AlertChannel:
    return AlertChannel.objects.create(name=name, way="webhook", **values)


def told() -> list[str]:
    return sorted(Delivery.objects.values_list("channel__name", flat=True))


def test_the_same_key_is_told_once() -> None:
    channel("all")
    first = announce("finding", "critical", "A secret\nin a prompt", "x\0y", "/d/requests/", "finding:1", "alpha")
    assert first is not None
    assert (first.title, first.text, first.team) == ("A secret in a prompt", "xy", "alpha")
    assert announce("finding", "critical", "again", dedup_key="finding:1") is None
    assert told() == ["all"]
    assert Announcement.objects.count() == 1


@pytest.mark.parametrize(
    ("values", "is_told"),
    [
        ({}, True),
        ({"enabled": False}, False),
        ({"minimum_severity": "warning"}, True),
        ({"minimum_severity": "critical"}, False),
        ({"kinds": ["budget", "alert"]}, True),
        ({"kinds": ["finding"]}, False),
        ({"teams": ["alpha"]}, True),
        ({"teams": ["beta"]}, False),
    ],
)
def test_a_channel_is_told_what_it_wants(values: dict[str, Any], is_told: bool) -> None:
    channel("one", **values)
    announce("alert", "warning", "t", dedup_key="k", team="alpha")
    assert told() == (["one"] if is_told else [])


def test_named_channels_alone_are_told() -> None:
    channel("one")
    channel("two")
    announce("alert", "warning", "t", dedup_key="k", channels=["two", "gone"])
    assert told() == ["two"]


def test_a_key_is_needed() -> None:
    with pytest.raises(ValueError, match="needs a key"):
        announce("alert", "warning", "t")


@pytest.mark.usefixtures("shipped_rules")
def test_rules_come_with_turnlog() -> None:
    shipped = {rule.name: rule for rule in AlertRule.objects.all()}
    assert set(shipped) == {
        "errors-over-5-percent", "breaker-open", "all-credentials-limited", "queue-over-its-mark",
        "concurrency-limit-reached", "all-places-taken", "spool-older-than-60-s",
    }  # fmt: skip
    for rule in shipped.values():
        rule.full_clean()
        assert rule.enabled
    assert shipped["errors-over-5-percent"].condition == "Errors > 5 % over 300 s"
    assert shipped["spool-older-than-60-s"].condition == "Spool age > 60 s"
