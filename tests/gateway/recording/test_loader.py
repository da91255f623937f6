"""From the spool into Postgres: everything arrives once, exactly, whatever the bytes and however often it is tried."""

from __future__ import annotations

import gzip
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

from gateway.dialects.names import Outcome
from gateway.history.queries import detail
from gateway.history.store import rebuild_request, rebuild_response, rebuild_sent_request
from gateway.models import ChunkTiming, DeadLetter, RequestLog, ResponseLog, SpoolSegment, StoredBody
from gateway.recording import failpoints
from gateway.recording.loader import Loader
from gateway.recording.recorder import Recorder
from gateway.recording.series import list_series
from gateway.recording.status import read_status
from tests.gateway.recording.recording import (
    ANSWER_HEADERS,
    CANARY,
    admission,
    living_recorder,
    new_id,
    record,
    wait_until,
    with_recorder,
    write_out,
)

pytestmark = pytest.mark.django_db(transaction=True)

Load = Callable[[], Loader]
BODIES = {
    "JSON": b'{"model":"claude-opus-5-5","stream":true}',
    "NUL and invalid UTF-8": b'{"model":"a\x00b","x":"\xff\xfe\xed\xa0\x80"}',
    "every byte": bytes(range(256)) * 40,
    "an escaped NUL and half a surrogate pair": rb'{"model":"a\u0000b\ud800","metadata":{"user_id":"\ud800\u0000"}}',
    "numbers beyond all bounds": b'{"max_tokens":' + b"9" * 5000 + b',"model":1e999}',
    "deep nesting": b"[" * 100_000,
    "a model name of a megabyte": b'{"model":"' + b"m" * 1_000_000 + b'"}',
    "compressed": gzip.compress(b'{"model":"claude-opus-5-5"}'),
    "nothing": b"",
}
ANSWERS = {
    "a NUL in the usage": rb'{"type":"message","model":"m\u0000","usage":{"input_tokens":1,"x":"\u0000"}}',
    "half a surrogate pair": rb'{"type":"message","model":"\ud83d","stop_reason":"\udc00","usage":{"y":"\ud800"}}',
    "a count beyond all bounds": b'{"type":"message","usage":{"input_tokens":' + b"9" * 400 + b',"output_tokens":2}}',
    "NaN": b'{"type":"message","usage":{"input_tokens":NaN,"output_tokens":2}}',
    "an error with NUL": rb'{"type":"error","error":{"type":"a\u0000","message":"b\u0000\ud800"}}',
    "a deep message": b'{"type":"message","usage":' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}",
}


def record_many(spool_dir: Path, count: int) -> set[uuid.UUID]:
    def work(recorder: Recorder) -> set[uuid.UUID]:
        return {uuid.UUID(bytes=record(recorder).id) for _ in range(count)}

    return with_recorder(spool_dir, work)


def stored_ids() -> set[uuid.UUID]:
    return set(RequestLog.objects.values_list("id", flat=True))


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_bytes_come_back_as_they_went_in(spool_dir: Path, load: Load, body: bytes) -> None:
    chunks = [body[:5], body[5:]] if body else []
    exchange = with_recorder(spool_dir, lambda recorder: record(recorder, body=body, chunks=chunks))
    load()
    exchange_id = uuid.UUID(bytes=exchange.id)
    assert rebuild_request(exchange_id) == body
    assert rebuild_response(exchange_id) == body
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_an_answer_no_column_can_hold_is_stored_all_the_same(spool_dir: Path, load: Load, answer: bytes) -> None:
    exchange = with_recorder(spool_dir, lambda recorder: record(recorder, body=b"{}", chunks=[answer]))
    load()
    shown = detail(uuid.UUID(bytes=exchange.id))
    assert rebuild_response(uuid.UUID(bytes=exchange.id)) == answer
    assert "\x00" not in str(shown)
    assert not DeadLetter.objects.exists()


def test_what_was_observed_is_in_the_columns(spool_dir: Path, load: Load) -> None:
    request = (
        b'{"model":"claude-opus-5-5","max_tokens":128000,"stream":true,"messages":[{"role":"user","content":"hi"}],'
        b'"tools":[{"name":"a"},{"name":"b"}]}'
    )
    answer = [
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message",'
        b'"role":"assistant","model":"claude-opus-5-5","content":[],"usage":{"input_tokens":3,'
        b'"cache_read_input_tokens":70,"output_tokens":1}}}\n\n',
        b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":'
        b'{"type":"text","text":""}}\n\n'
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":'
        b'{"type":"text_delta","text":"hello"}}\n\n',
        b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
        b'"usage":{"output_tokens":5}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n',
    ]
    headers = [(b"content-type", b"text/event-stream"), *ANSWER_HEADERS[1:]]
    exchange = with_recorder(
        spool_dir, lambda recorder: record(recorder, body=request, chunks=answer, answer_headers=headers)
    )
    load()
    shown = detail(uuid.UUID(bytes=exchange.id))
    expected = {
        "method": "POST",
        "path": "/v1/messages",
        "requested_model": "claude-opus-5-5",
        "model": "claude-opus-5-5",
        "status_code": 200,
        "outcome": "completed",
        "is_streaming": True,
        "stop_reason": "end_turn",
        "session_id": "0190e1c2-9a61-7a31-b7a2-0f9a3e1b5c77",
        "client": "claude-code",
        "client_version": "2.1.329",
        "message_count": 1,
        "tool_count": 2,
        "max_tokens": 128000,
        "tags": {"x-team": "blue"},
        "request_bytes": len(request),
        "response_bytes": sum(map(len, answer)),
        "upstream_request_id": "req_1",
        "organization_id": "0190e1c2-9a61-7a31-b7a2-0f9a3e1b5c78",
        "rate_limits": {"anthropic-ratelimit-requests-remaining": "49"},
        "tokens": {
            "input_tokens": 3,
            "output_tokens": 5,
            "cache_read_tokens": 70,
            "cache_write_tokens": None,
            "cache_write_1h_tokens": None,
            "thinking_tokens": None,
        },
        "cost_usd": "0.000126",
        "cost_note": "",
        "purpose": "",
        "capture": "full",
        "parse_warnings": [],
    }
    assert {key: shown[key] for key in expected} == expected
    assert [(line["kind"], line["usd"]) for line in shown["cost_lines"]] == [
        ("input", "0.000012"),
        ("cache_read", "0.000014"),
        ("output", "0.000100"),
    ]
    assert [timing["byteSize"] for timing in shown["chunk_timings"]] == [len(chunk) for chunk in answer]
    assert shown["message"]["content"] == [{"type": "text", "text": "hello"}]
    assert shown["request_headers"][0][0] == "Authorization"
    assert CANARY.decode() not in str(shown)
    assert 0 < shown["first_byte_ms"] <= shown["duration_ms"]


def test_a_stream_without_its_end_mark_is_noted_and_keeps_its_outcome(spool_dir: Path, load: Load) -> None:
    headers = [(b"content-type", b"text/event-stream")]
    chunk = b'event: message_start\ndata: {"type":"message_start","message":{"model":"m","content":[]}}\n\n'
    exchange = with_recorder(spool_dir, lambda recorder: record(recorder, chunks=[chunk], answer_headers=headers))
    load()
    shown = detail(uuid.UUID(bytes=exchange.id))
    assert shown["outcome"] == "completed"
    assert any("ended without" in warning for warning in shown["parse_warnings"])


def test_the_request_as_sent_has_the_routes_model(spool_dir: Path, load: Load) -> None:
    body = b'{"model":"asked","x":1,"model":"asked"}'

    def work(recorder: Recorder) -> bytes:
        exchange = recorder.admit(new_id(), admission(body))
        exchange.request_body(body)
        exchange.patch(9, 16, b'"routed model"')
        exchange.patch(31, 38, b'"routed model"')
        exchange.finish(Outcome.COMPLETED)
        return exchange.id

    exchange_id = uuid.UUID(bytes=with_recorder(spool_dir, work))
    load()
    assert rebuild_request(exchange_id) == body
    assert rebuild_sent_request(exchange_id) == b'{"model":"routed model","x":1,"model":"routed model"}'


def test_when_all_is_stored_the_spool_is_empty_and_the_books_balance(spool_dir: Path, load: Load) -> None:
    ids = record_many(spool_dir, 30)
    load()
    assert stored_ids() == ids
    assert list_series(spool_dir) == []
    assert not SpoolSegment.objects.exists()
    status = read_status(spool_dir)
    assert (status.accepted, status.stored, status.spooled, status.balanced) == (30, 30, 0, True)


def test_loading_the_same_spool_twice_changes_no_sum(spool_dir: Path, load: Load, tmp_path: Path) -> None:
    ids = record_many(spool_dir, 10)
    [series] = list_series(spool_dir)
    shutil.copytree(series, tmp_path / "again")
    load()
    # Put back as the crash of a loader after its commit would have left it.
    shutil.copytree(tmp_path / "again", series)
    load()
    assert stored_ids() == ids
    assert StoredBody.objects.count() == 20
    status = read_status(spool_dir)
    assert (status.accepted, status.stored, status.spooled, status.balanced) == (10, 10, 0, True)


def test_exchanges_of_a_living_process_are_stored_while_it_lives(spool_dir: Path, load: Load) -> None:
    with living_recorder(spool_dir) as recorder:
        ended, running = record(recorder), record(recorder, finish=False)
        write_out(recorder)
        load()
        assert stored_ids() == {uuid.UUID(bytes=ended.id)}
        status = read_status(spool_dir)
        assert (status.accepted, status.stored, status.spooled, status.in_flight) == (2, 1, 1, 1)
        running.finish(Outcome.COMPLETED)
    load()
    assert set(RequestLog.objects.values_list("outcome", flat=True)) == {"completed"}
    assert RequestLog.objects.count() == 2


def test_the_trace_of_the_client_is_kept(spool_dir: Path, load: Load) -> None:
    def work(recorder: Recorder) -> None:
        for value in (f"00-{'4b' * 16}-{'0f' * 8}-01", "00-<b>-\x00-01"):
            exchange = recorder.admit(new_id(), admission(headers=[(b"traceparent", value.encode())]))
            exchange.response_head(200, ANSWER_HEADERS)
            exchange.finish(Outcome.COMPLETED)

    with_recorder(spool_dir, work)
    load()
    kept = RequestLog.objects.order_by("id").values_list("trace_id", "parent_span_id")
    assert list(kept) == [("4b" * 16, "0f" * 8), (None, None)]


def test_an_exchange_whose_process_is_gone_is_interrupted(spool_dir: Path, load: Load) -> None:
    exchange = with_recorder(spool_dir, lambda recorder: record(recorder, chunks=[b"so far"], finish=False))
    load()
    shown = detail(uuid.UUID(bytes=exchange.id))
    assert (shown["outcome"], shown["capture"], shown["response_bytes"]) == ("interrupted", "lost_crash", 6)
    assert rebuild_response(uuid.UUID(bytes=exchange.id)) == b"so far"


@contextmanager
def refusing(condition: str) -> Iterator[None]:
    """The database refuses rows for what is in them."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE gateway_requestlog ADD CONSTRAINT refusing CHECK ({condition}) NOT VALID")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE gateway_requestlog DROP CONSTRAINT refusing")


def test_a_poisonous_exchange_becomes_a_dead_letter_and_the_rest_flows(spool_dir: Path, load: Load) -> None:
    def work(recorder: Recorder) -> tuple[set[uuid.UUID], uuid.UUID]:
        good = [record(recorder).id for _ in range(7)]
        bad = record(recorder, path="/poison").id
        good += [record(recorder).id for _ in range(6)]
        return {uuid.UUID(bytes=one) for one in good}, uuid.UUID(bytes=bad)

    good, bad = with_recorder(spool_dir, work)
    with refusing("path <> '/poison'"):
        loader = load()
        wait_until(lambda: loader.round() or DeadLetter.objects.exists())
    letter = DeadLetter.objects.get()
    assert (letter.exchange_id, letter.attempts, letter.state) == (bad, 5, "waiting")
    assert "refusing" in letter.reason
    assert stored_ids() == good
    load()
    status = read_status(spool_dir)
    assert status.dropped == {"dead_letter": 1}
    assert (status.accepted, status.stored, status.spooled, status.balanced) == (14, 13, 0, True)


def test_an_exchange_that_cannot_be_read_becomes_a_dead_letter_too(spool_dir: Path, load: Load) -> None:
    with_recorder(spool_dir, record)
    with failpoints.fault("build"):
        loader = load()
        wait_until(lambda: loader.round() or DeadLetter.objects.exists())
    assert DeadLetter.objects.get().reason.startswith("InjectedFault")


def test_a_transaction_that_fails_before_its_commit_leaves_nothing(spool_dir: Path, load: Load) -> None:
    ids = record_many(spool_dir, 5)
    with failpoints.fault("commit"):
        load()
        assert not RequestLog.objects.exists()
        assert not SpoolSegment.objects.filter(stored__gt=0).exists()
    load()
    assert stored_ids() == ids
    assert ChunkTiming.objects.count() == ResponseLog.objects.count() == 5


def test_a_month_without_partition_gets_one(spool_dir: Path, load: Load) -> None:
    old = uuid.UUID("01234567-89ab-7000-8000-000000000001")

    def work(recorder: Recorder) -> None:
        exchange = recorder.admit(old.bytes, admission(b"x"))
        exchange.request_body(b"x")
        exchange.finish(Outcome.COMPLETED)

    with_recorder(spool_dir, work)
    load()
    assert rebuild_request(old) == b"x"


def test_each_commit_is_told_with_the_newest_id(spool_dir: Path, load: Load) -> None:
    with connection.cursor() as cursor:
        cursor.execute("LISTEN turnlog_stored")
    ids = record_many(spool_dir, 3)
    load()
    # The loader of this test speaks over the connection that listens.
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    notices = list(connection.connection.notifies(timeout=5, stop_after=1))
    assert [notice.payload for notice in notices] == [str(max(ids))]


def test_torn_and_flipped_bytes_go_to_quarantine_and_all_else_is_stored(spool_dir: Path, load: Load) -> None:
    ids = record_many(spool_dir, 6)
    [series] = list_series(spool_dir)
    frames = series / "000001.frames"
    frames.write_bytes(frames.read_bytes()[:-7])
    stubs = bytearray((series / "000001.stubs").read_bytes())
    stubs[50] ^= 4
    (series / "000001.stubs").write_bytes(stubs)
    load()
    assert stored_ids() == ids - {min(ids)}
    assert RequestLog.objects.get(id=max(ids)).outcome == "interrupted"
    # The torn frame, the damaged stub, and the frame that stub belongs to.
    status = read_status(spool_dir)
    assert status.quarantined == 3
    assert (status.accepted, status.stored, status.spooled, status.balanced) == (5, 5, 0, True)
    assert list_series(spool_dir) == []


def test_frames_of_a_stored_exchange_whose_stub_is_retired_are_no_damage(spool_dir: Path, load: Load) -> None:
    with living_recorder(spool_dir, max_bytes=400_000) as recorder:
        long = record(recorder, finish=False)
        write_out(recorder)
        record(recorder, body=b"x" * 60_000)
        write_out(recorder)
        long.chunk(b" ")
        long.finish(Outcome.COMPLETED)
        write_out(recorder)
        [series] = list_series(spool_dir)
        load()
        assert not (series / "000001.frames").exists()
        assert (series / "000002.frames").exists()
    load()
    status = read_status(spool_dir)
    assert (status.stored, status.spooled, status.quarantined) == (2, 0, 0)


def test_a_spool_over_its_bound_takes_admissions_again_once_it_is_loaded(spool_dir: Path, load: Load) -> None:
    with living_recorder(spool_dir, max_bytes=20_000) as recorder:
        record(recorder, body=b"x" * 30_000)
        write_out(recorder)
        wait_until(lambda: not recorder.ready())
        assert record(recorder).muted
        wait_until(lambda: load() and recorder.ready())
        assert not record(recorder).muted
    load()
    status = read_status(spool_dir)
    assert (status.stored, status.dropped) == (2, {"spool_full": 1})
