"""The ledger of capabilities, as the loader keeps it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from structlog.testing import capture_logs

from gateway.dialects.names import Outcome
from gateway.history.capability_ledger import CapabilityLedger, Sightings, Use
from gateway.models import Capability
from tests.exchanges import Sample, keep

pytestmark = pytest.mark.django_db(transaction=True)
NOON = datetime(2026, 11, 20, 12, 30, 15, tzinfo=UTC)
REQUEST = {"model": "claude-opus-5-5", "messages": [{"role": "user", "content": "hello"}]}
REFUSAL = (
    b'{"type":"error","error":{"type":"invalid_request_error",'
    b'"message":"context_management: Extra inputs are not permitted"}}'
)


def turn(version: str = "2.1.329", at: datetime = NOON, betas: str = "oauth-2025-04-20", **values: Any) -> Sample:
    headers = [("user-agent", f"claude-cli/{version} (external, cli)"), ("anthropic-beta", betas)]
    request = values.pop("request", REQUEST)
    return Sample(request, at=at, request_headers=headers, **values)


def test_what_a_version_used_is_there_with_its_times() -> None:
    keep([turn(), turn(at=NOON + timedelta(minutes=5)), turn("2.1.400", NOON + timedelta(hours=1), "new-2026-11-01")])
    beta = Capability.objects.get(kind="beta", name="oauth-2025-04-20")
    assert (beta.client, beta.client_version) == ("claude-code", "2.1.329")
    assert beta.first_seen == NOON.replace(second=0)
    assert beta.last_seen == beta.forwarded_at == beta.accepted_at == NOON.replace(second=0) + timedelta(minutes=5)
    assert beta.refused_at is None
    fields = Capability.objects.filter(kind="field", client_version="2.1.400").values_list("name", flat=True)
    assert sorted(fields) == ["messages", "model"]


def test_a_refusal_is_put_to_what_it_names_and_to_nothing_else() -> None:
    keep(
        [
            turn(
                request=REQUEST | {"context_management": {"edits": []}},
                chunks=[REFUSAL],
                status=400,
                outcome=Outcome.UPSTREAM_ERROR,
            )
        ]
    )
    refused = Capability.objects.exclude(refused_at=None)
    assert [(row.name, row.refusal) for row in refused.filter(name="context_management")] == [
        ("context_management", "context_management: Extra inputs are not permitted")
    ]
    assert set(refused.values_list("name", flat=True)) == {"context_management"}
    assert not Capability.objects.exclude(accepted_at=None).exists()


def test_a_limit_that_was_reached_is_no_refusal() -> None:
    error = b'{"type":"error","error":{"type":"rate_limit_error","message":"too many messages for this model"}}'
    keep([turn(chunks=[error], status=429, outcome=Outcome.UPSTREAM_ERROR)])
    assert not Capability.objects.exclude(refused_at=None).exists()


def test_late_turns_move_the_first_sight_back_and_never_the_last() -> None:
    keep([turn()])
    keep([turn(at=NOON - timedelta(days=1))])
    beta = Capability.objects.get(kind="beta")
    assert (beta.first_seen, beta.last_seen) == (NOON.replace(second=0) - timedelta(days=1), NOON.replace(second=0))


def test_notice_is_given_of_what_a_known_client_never_used_before() -> None:
    with capture_logs() as first:
        keep([turn()])
    with capture_logs() as second:
        keep(
            [
                turn("2.1.400", betas="oauth-2025-04-20,brand-new-2026-11-20"),
                turn("2.1.401", betas="brand-new-2026-11-20"),
            ]
        )
    notices = [line for line in second if line["event"] == "a client uses something new"]
    assert not [line for line in first if line["event"] == "a client uses something new"]
    assert [(line["kind"], line["name"], line["client_version"]) for line in notices] == [
        ("beta", "brand-new-2026-11-20", "2.1.400")
    ]


def test_replays_and_self_tests_are_no_client_of_their_own() -> None:
    keep([turn(purpose="replay"), turn(purpose="selftest")])
    assert not Capability.objects.exists()


def test_of_a_long_conversation_new_messages_are_still_looked_into() -> None:
    system = [{"type": "text", "text": "x" * 40_000}]
    messages: list[dict[str, Any]] = [{"role": "user", "content": "hello"}]
    turns = []
    for number in range(3):
        messages = [*messages, {"role": "user", "content": [{"type": f"block_{number}"}]}]
        turns.append(turn(request={"system": system, "messages": messages}))
    keep(turns)
    blocks = Capability.objects.filter(kind="block").values_list("name", flat=True)
    assert sorted(blocks) == ["block_0", "block_1", "block_2"]


def test_the_ledger_of_one_loader_writes_what_says_more_and_nothing_else() -> None:
    connection.ensure_connection()
    ledger = CapabilityLedger(connection.connection)

    def note(minutes: int, status: int | None) -> None:
        seen = NOON + timedelta(minutes=minutes)
        sighting = Sightings("c", "1", "anthropic", seen, frozenset({Use("beta", "b")}), True, status)
        ledger.write([sighting])
        ledger.settle()

    def times() -> Any:
        return Capability.objects.values_list("first_seen", "last_seen", "accepted_at").get()

    noon = NOON.replace(second=0)
    note(5, 200)
    note(5, 429)
    note(0, None)
    assert times() == (noon, noon + timedelta(minutes=5), noon + timedelta(minutes=5))
    note(7, 529)
    assert times() == (noon, noon + timedelta(minutes=7), noon + timedelta(minutes=5))
    Capability.objects.all().delete()
    note(5, 200)
    note(7, 500)
    assert not Capability.objects.exists(), "nothing that says more, so nothing was written"
