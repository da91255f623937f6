"""What a capture policy does not want kept: never in the spool, never in the database; its tokens and times stay."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection

from gateway.dialects.names import Outcome
from gateway.history.replay import NotReplayable, plan_replay
from gateway.history.store import rebuild_request, rebuild_response
from gateway.history.verification import Progress, verify
from gateway.models import RequestLog, ResponseLog
from gateway.policy.capture import CaptureMode, CapturePolicies, CaptureRule
from gateway.policy.masking import read_pointer
from gateway.recording.exchange import Exchange
from gateway.recording.loader import Loader
from gateway.recording.recorder import Recorder
from gateway.recording.records import Attempt
from gateway.recording.status import live_state, read_status
from tests.exchanges import message_stream
from tests.gateway.recording.recording import HEADERS, admission, new_id, with_recorder

CANARY = b"canary-that-must-not-be-kept-8Hq3"
USER_ID = json.dumps({"device_id": CANARY.decode(), "session_id": "s-1"})
BODY = json.dumps(
    {"model": "claude-opus-5-5", "messages": [{"role": "user", "content": CANARY.decode()}], "system": "kept"}
).encode()
ANSWER = message_stream(f"Say {CANARY.decode()} again, and some more of it.", usage={"input_tokens": 12})
STREAM = [(b"Content-Type", b"text/event-stream"), (b"Request-Id", b"req_7"), (b"X-Other", CANARY)]

METADATA = CaptureRule("quiet", CaptureMode.METADATA)
NONE = CaptureRule("blind", CaptureMode.NONE)


def record(
    policy: CaptureRule | None,
    body: bytes = BODY,
    answer: list[bytes] = ANSWER,
    headers: list[tuple[bytes, bytes]] = [],  # noqa: B006
    outcome: Outcome = Outcome.COMPLETED,
    error: str | None = None,
) -> Callable[[Recorder], Exchange]:
    def work(recorder: Recorder) -> Exchange:
        exchange = recorder.admit(new_id(), admission(body, query=f"q={CANARY.decode()}", headers=headers), policy)
        exchange.request_body(body)
        exchange.attempt(Attempt("anthropic", "https://api.example", 1, 2, 3, 200))
        exchange.response_head(200, STREAM)
        for chunk in answer:
            exchange.chunk(chunk)
        exchange.finish(outcome, error)
        return exchange

    return work


def in_files(spool_dir: Path) -> bytes:
    return b"".join(path.read_bytes() for path in spool_dir.rglob("*") if path.is_file())


def in_tables() -> str:
    """Every row of every table, as text."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        rows = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            rows += [row[0] for row in cursor.fetchall()]
    return "\n".join(rows)


def load(spool_dir: Path) -> None:
    loader = Loader(spool_dir, tag_headers=("x-team",))
    while loader.round():
        pass


@pytest.mark.django_db(transaction=True)
def test_metadata_keeps_what_it_cost_and_nothing_of_what_was_said(tmp_path: Path) -> None:
    secret = [(b"x-project", CANARY), (b"x-codex-turn-metadata", CANARY)]
    exchange = with_recorder(tmp_path, record(METADATA, headers=secret))
    assert CANARY not in in_files(tmp_path)
    load(tmp_path)
    assert CANARY.decode() not in in_tables()
    assert CANARY not in rebuild_request(uuid.UUID(bytes=exchange.id)) + rebuild_response(uuid.UUID(bytes=exchange.id))
    row = RequestLog.objects.get(pk=uuid.UUID(bytes=exchange.id))
    assert (row.capture, row.capture_policy, row.query, row.tags) == ("metadata", "quiet: metadata", "", {})
    assert (row.request_bytes, row.model, row.requested_model) == (len(BODY), "claude-opus-5-5", "claude-opus-5-5")
    assert (row.session_id, row.client, row.is_streaming) == (HEADERS[2][1].decode(), "claude-code", True)
    response = ResponseLog.objects.get(pk=row.pk)
    assert (response.input_tokens, response.stop_reason) == (12, "end_turn")
    assert response.output_tokens
    assert response.cost_usd is not None
    assert (response.response_bytes, response.upstream_request_id) == (sum(map(len, ANSWER)), "req_7")
    assert response.first_byte_ms is not None
    assert row.chunk_timing.count == len(ANSWER)
    names = [name for name, _ in row.header_record.request_pairs]
    assert "x-project" in names
    assert not [problem for problem in verify(Progress()) if problem is not None]
    with pytest.raises(NotReplayable, match="metadata"):
        plan_replay(row.pk)


@pytest.mark.django_db(transaction=True)
def test_words_that_may_quote_the_prompt_go_with_it(tmp_path: Path) -> None:
    refused = json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": CANARY.decode()}})
    work = record(METADATA, answer=[refused.encode()], outcome=Outcome.UPSTREAM_ERROR, error=CANARY.decode())
    exchange = with_recorder(tmp_path, work)
    assert CANARY not in in_files(tmp_path)
    load(tmp_path)
    response = ResponseLog.objects.get(pk=uuid.UUID(bytes=exchange.id))
    assert (response.error_type, response.error_message) == ("invalid_request_error", None)
    assert CANARY.decode() not in in_tables()


@pytest.mark.django_db(transaction=True)
def test_none_is_counted_and_nothing_is_written(tmp_path: Path) -> None:
    with_recorder(tmp_path, record(NONE))
    assert CANARY not in in_files(tmp_path)
    load(tmp_path)
    assert not RequestLog.objects.exists()
    status = read_status(tmp_path)
    assert (status.accepted, status.stored, status.dropped) == (1, 0, {"capture_none": 1})
    assert status.balanced


@pytest.mark.django_db(transaction=True)
def test_masks_take_out_what_they_point_to_and_the_rest_is_proved(tmp_path: Path) -> None:
    body = json.dumps(
        {"model": "m", "metadata": {"user_id": USER_ID}, "safeguards": [{"cwd": CANARY.decode()}]}
    ).encode()
    masks = (read_pointer("metadata.user_id.device_id"), read_pointer("/safeguards"))
    policy = CaptureRule("masked", masks=masks)
    exchange = with_recorder(tmp_path, record(policy, body, message_stream("Hello.")))
    load(tmp_path)
    kept = rebuild_request(uuid.UUID(bytes=exchange.id))
    assert len(kept) == len(body)
    assert CANARY not in kept
    assert b"s-1" in kept
    row = RequestLog.objects.get(pk=uuid.UUID(bytes=exchange.id))
    assert (row.capture, row.capture_policy) == ("masked", "masked: full")
    assert ResponseLog.objects.get(pk=row.pk).output_tokens
    assert not [problem for problem in verify(Progress()) if problem is not None]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("body", [b"{" + CANARY, b"\x28\xb5\x2f\xfd" + CANARY])
def test_a_body_that_cannot_be_masked_is_not_kept(tmp_path: Path, body: bytes) -> None:
    exchange = with_recorder(tmp_path, record(CaptureRule("m", masks=(("a",),)), body, message_stream("Hello.")))
    load(tmp_path)
    row = RequestLog.objects.get(pk=uuid.UUID(bytes=exchange.id))
    assert (row.capture, rebuild_request(row.pk)) == ("mask_failed", b"")
    assert ResponseLog.objects.get(pk=row.pk).output_tokens, "the answer is there all the same"


@pytest.mark.django_db(transaction=True)
def test_a_size_keeps_the_beginning_of_each_body_and_the_usage_at_the_end(tmp_path: Path) -> None:
    exchange = with_recorder(tmp_path, record(CaptureRule("small", max_bytes=300), BODY + b" " * 1000))
    load(tmp_path)
    id = uuid.UUID(bytes=exchange.id)
    row = RequestLog.objects.get(pk=id)
    assert (row.capture, row.request_bytes) == ("capped", len(BODY) + 1000)
    assert rebuild_request(id) == (BODY + b" " * 1000)[:300]
    answer = rebuild_response(id)
    assert len(answer) <= 300
    assert b"".join(ANSWER).startswith(answer)
    response = ResponseLog.objects.get(pk=id)
    assert (response.input_tokens, response.response_bytes) == (12, sum(map(len, ANSWER)))
    assert not [problem for problem in verify(Progress()) if problem is not None]


@pytest.mark.django_db(transaction=True)
def test_what_stays_within_the_size_is_kept_whole(tmp_path: Path) -> None:
    exchange = with_recorder(tmp_path, record(CaptureRule("large", max_bytes=1_000_000)))
    load(tmp_path)
    id = uuid.UUID(bytes=exchange.id)
    assert (RequestLog.objects.get(pk=id).capture, rebuild_request(id)) == ("full", BODY)
    assert rebuild_response(id) == b"".join(ANSWER)
    assert ResponseLog.objects.get(pk=id).reply is not None


def test_the_status_says_how_many_were_kept_in_part(tmp_path: Path) -> None:
    def work(recorder: Recorder) -> dict[str, int]:
        record(METADATA)(recorder)
        record(CaptureRule("m", masks=(("a",),)))(recorder)
        return live_state(tmp_path).kept_as

    assert with_recorder(tmp_path, work) == {"metadata": 1, "masked": 1}


def test_the_first_policy_that_fits_decides() -> None:
    policies = CapturePolicies(
        [
            CaptureRule("a", CaptureMode.NONE, teams=frozenset({"legal"}), paths=("/v1/files*",)),
            CaptureRule("b", CaptureMode.METADATA, members=frozenset({"ada"})),
            CaptureRule("c", models=("claude-*",), keys=frozenset({"ci"}), max_bytes=5),
        ]
    )
    asked = {
        ("legal", "", "", "m", "/v1/files/1"): "a",
        ("legal", "ada", "", "m", "/v1/messages"): "b",
        ("legal", "", "", "m", "/v1/messages"): None,
        ("", "", "ci", "claude-opus-5-5", "/v1/messages"): "c",
        ("", "", "ci", "gpt-5", "/v1/messages"): None,
    }
    for _ in range(2):
        found = {key: policies.choose(*key) for key in asked}
        assert {key: rule and rule.name for key, rule in found.items()} == asked
