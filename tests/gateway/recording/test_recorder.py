"""What the recorder promises the relay: nothing raises, nothing waits, and what is lost is counted by name."""

from __future__ import annotations

import asyncio
import gc
import inspect
import time
from pathlib import Path

import pytest

from gateway.dialects.names import Outcome
from gateway.policy.header_rules import Change, Deed, Label, Work
from gateway.recording import failpoints
from gateway.recording.assemble import Recorded, assemble, read_frames
from gateway.recording.counters import Slot, read_counters
from gateway.recording.exchange import Exchange
from gateway.recording.open_files import OpenFiles
from gateway.recording.quarantine import Quarantine
from gateway.recording.recorder import CaptureUnavailable, Recorder
from gateway.recording.records import Attempt, Translated
from gateway.recording.series import is_alive, list_segments, list_series
from gateway.recording.series_tail import SeriesTail
from gateway.recording.spool import Delta
from tests.gateway.recording.recording import CANARY, admission, eventually, make_recorder, new_id, record

HOOKS = [
    "request_body", "patch", "translated", "header_rules", "attempt", "response_head", "chunk", "held", "finish",
    "take",
]  # fmt: skip


def read_spool(spool_dir: Path) -> dict[bytes, Recorded]:
    """Every exchange of the spool's first series, put together."""
    files = OpenFiles()
    tail = SeriesTail(list_series(spool_dir)[0], files, Quarantine(spool_dir, files))
    found = {}
    while batch := tail.poll():
        found |= {one.exchange_id: assemble(one.exchange_id, read_frames(one, files)) for one in batch}
    files.close()
    return found


async def test_an_exchange_is_in_the_spool_as_it_was_observed(spool_dir: Path) -> None:
    recorder = make_recorder(spool_dir)
    await recorder.start()
    body = bytes(range(256)) * 10
    exchange = recorder.admit(new_id(), admission(body, query="beta=true&key=abc"))
    assert recorder.in_flight == 1
    exchange.request_body(body)
    exchange.patch(3, 5, b"new")
    exchange.attempt(Attempt("anthropic", "https://api.example", exchange.elapsed_us(), status=200))
    exchange.response_head(200, [(b"set-cookie", b"secret"), (b"x", b"1")])
    exchange.chunk(b"\x00\xff first")
    await asyncio.sleep(0)
    exchange.chunk(b"second")
    exchange.finish(Outcome.COMPLETED)
    exchange.finish(Outcome.UPSTREAM_ABORTED, "too late to count")
    exchange.chunk(b"too late to count")
    assert recorder.in_flight == 0
    await recorder.stop()
    [recorded] = read_spool(spool_dir).values()
    assert recorded.body == body
    assert [tuple(patch.text) for patch in recorded.patches] == [tuple(b"new")]
    assert recorded.response == b"\x00\xff firstsecond"
    assert recorded.sizes == [8, 6]
    assert recorded.times == sorted(recorded.times)
    assert (recorded.end.outcome, recorded.end.capture, recorded.end.response_bytes) == ("completed", "full", 14)
    assert [attempt.status for attempt in recorded.end.attempts] == [200]
    assert recorded.head is not None
    assert recorded.head.headers[1] == (b"x", b"1")


async def test_an_exchange_that_is_over_goes_without_the_garbage_collector(spool_dir: Path) -> None:
    """In a ring with its last news it would stay, and hold what it holds, until the collector comes by."""
    recorder = make_recorder(spool_dir)
    await recorder.start()
    gc.collect()
    gc.disable()
    try:
        exchange = recorder.admit(new_id(), admission(b"body"))
        exchange.request_body(b"body")
        recorder.flush()
        exchange.chunk(b"answer")
        exchange.finish(Outcome.COMPLETED)
        exchange.finish(Outcome.UPSTREAM_ABORTED)
        exchange.chunk(b"too late")
        del exchange
        await recorder.stop()
        assert not any(isinstance(one, Exchange | Delta) for one in gc.get_objects())
    finally:
        gc.enable()
    assert read_counters(list_series(spool_dir)[0])[Slot.FAULTS] == 0


async def test_no_secret_reaches_the_spool(spool_dir: Path) -> None:
    recorder = make_recorder(spool_dir)
    await recorder.start()
    exchange = recorder.admit(new_id(), admission(query=f"key={CANARY.decode()}", headers=[(b"x-api-key", CANARY)]))
    exchange.response_head(200, [(b"set-cookie", b"session=" + CANARY)])
    exchange.finish(Outcome.COMPLETED)
    await recorder.stop()
    contents = read_files(spool_dir)
    assert sum(map(len, contents)) > 200
    assert not any(b"canary" in content for content in contents)


def read_files(directory: Path) -> list[bytes]:
    return [path.read_bytes() for path in directory.rglob("*") if path.is_file()]


async def test_the_admission_is_on_disk_before_admit_returns(spool_dir: Path) -> None:
    recorder = make_recorder(spool_dir)
    await recorder.start()
    exchange = recorder.admit(new_id(), admission())
    [directory] = list_series(spool_dir)
    assert exchange.id in (directory / "000001.stubs").read_bytes()
    await recorder.stop()


async def test_a_series_is_alive_as_long_as_its_recorder(spool_dir: Path) -> None:
    recorder = make_recorder(spool_dir)
    await recorder.start()
    [directory] = list_series(spool_dir)
    assert is_alive(directory)
    await recorder.stop()
    assert not is_alive(directory)


async def test_segments_follow_one_another_and_lose_nothing(spool_dir: Path) -> None:
    recorder = make_recorder(spool_dir)
    recorder.spool._segment_bytes = 3000
    await recorder.start()
    exchanges = []
    for number in range(40):
        exchanges.append(record(recorder, body=b"%d" % number * 50))
        if number % 4 == 0:
            recorder.flush()
            await settled(recorder)
    await recorder.stop()
    assert len(list_segments(list_series(spool_dir)[0])) > 5
    found = read_spool(spool_dir)
    assert [found[exchange.id].body for exchange in exchanges] == [b"%d" % number * 50 for number in range(40)]


async def settled(recorder: Recorder) -> None:
    """Wait until the writer has taken everything handed to it."""
    await eventually(lambda: not recorder.backlog())


@pytest.mark.parametrize("hook", HOOKS)
async def test_a_fault_in_a_hook_costs_the_record_and_not_the_exchange(spool_dir: Path, hook: str) -> None:
    recorder = make_recorder(spool_dir)
    await recorder.start()
    with failpoints.fault(hook):
        exchange = recorder.admit(new_id(), admission(b"body"))
        exchange.request_body(b"body")
        exchange.patch(0, 1, b"x")
        exchange.translated(Translated("chat", "openai"))
        exchange.header_rules(Deed(Work((Label(1, "a"),), ())), None)
        exchange.attempt(Attempt("anthropic", "https://api.example", 1))
        exchange.response_head(200, [])
        exchange.chunk(b"chunk")
        exchange.held(time.monotonic(), 0.5)
        exchange.finish(Outcome.COMPLETED)
        recorder.flush()
    assert recorder.in_flight == 0
    await recorder.stop()
    [directory] = list_series(spool_dir)
    assert read_counters(directory)[Slot.FAULTS] == 1
    [recorded] = read_spool(spool_dir).values()
    assert recorded.end.outcome == "completed"
    assert recorded.end.capture == ("full" if hook == "take" else "recorder_fault")


async def test_what_the_client_was_slow_to_take_is_kept_with_its_time(spool_dir: Path) -> None:
    recorder = make_recorder(spool_dir)
    await recorder.start()
    exchange = record(recorder, finish=False)
    since = time.monotonic()
    exchange.held(since, 0.25)
    exchange.finish(Outcome.COMPLETED)
    await recorder.stop()
    [recorded] = read_spool(spool_dir).values()
    [(at_us, length_us)] = recorded.held
    assert recorded.times[-1] <= at_us <= recorded.end.at_us
    assert length_us == 250_000


async def test_what_header_rules_did_is_kept_with_secrets_as_fingerprints(spool_dir: Path) -> None:
    recorder = make_recorder(spool_dir)
    await recorder.start()
    exchange = record(recorder, finish=False)
    live, shadow = Label(3, "strip"), Label(4, "later")
    changed = Change(b"x-team", (b"a", b"b"), (b"c",))
    hidden = Change(b"authorization", (b"Bearer sk-ant-api03-secret-value",), ())
    exchange.header_rules(Deed(Work((live,), (changed, hidden)), (shadow,), (changed,)), None)
    exchange.finish(Outcome.COMPLETED)
    await recorder.stop()
    [recorded] = read_spool(spool_dir).values()
    assert recorded.rules is not None
    found = recorded.rules.request
    assert found is not None
    assert (found.fired, found.shadow) == ([(3, "strip")], [(4, "later")])
    assert (found.changes[0].before, found.changes[0].after) == ([b"a", b"b"], [b"c"])
    assert found.changes[1].before[0].startswith(b"Bearer fp:")
    assert b"secret-value" not in b"".join(path.read_bytes() for path in spool_dir.rglob("*") if path.is_file())
    assert recorded.rules.response is None


def test_every_hook_of_the_exchange_has_a_failpoint() -> None:
    hooks = {name for name, method in vars(Exchange).items() if inspect.isfunction(method) and not name.startswith("_")}
    assert hooks - {"elapsed_us", "mark"} == set(HOOKS)


@pytest.mark.parametrize("point", ["admit", "stub"])
async def test_a_fault_in_the_admission_is_counted_as_dropped(spool_dir: Path, point: str) -> None:
    recorder = make_recorder(spool_dir)
    await recorder.start()
    with failpoints.fault(point):
        exchange = record(recorder)
    assert exchange.muted
    assert recorder.in_flight == 0
    await recorder.stop()
    assert read_counters(list_series(spool_dir)[0])[Slot.DROPPED_FAULT] == 1
    assert read_spool(spool_dir) == {}


async def test_a_fault_of_the_writer_keeps_the_row_and_names_the_loss(spool_dir: Path) -> None:
    recorder = make_recorder(spool_dir)
    await recorder.start()
    with failpoints.fault("writer"):
        exchange = record(recorder, finish=False)
        recorder.flush()
        await settled(recorder)
    exchange.finish(Outcome.COMPLETED)
    await recorder.stop()
    [recorded] = read_spool(spool_dir).values()
    assert (recorded.end.capture, recorded.body, recorded.response) == ("recorder_fault", None, b"")
    assert recorded.head is not None
    assert recorded.head.status == 200


async def test_beyond_the_backlog_bytes_are_dropped_and_the_beginning_is_kept(spool_dir: Path) -> None:
    recorder = make_recorder(spool_dir, backlog_bytes=1000)
    await recorder.start()
    exchange = record(recorder, body=b"b", chunks=[b"1" * 400, b"2" * 400, b"3" * 400, b"4" * 400])
    assert not recorder.ready()
    await recorder.stop()
    [recorded] = read_spool(spool_dir).values()
    assert recorded.end.capture == "lost_backlog"
    assert recorded.end.response_bytes == 1600
    assert (b"1" * 400 + b"2" * 400 + b"3" * 400 + b"4" * 400).startswith(recorded.response)
    assert exchange.lost == "lost_backlog"


async def test_under_the_strict_policy_a_full_backlog_refuses(spool_dir: Path) -> None:
    recorder = make_recorder(spool_dir, "strict", backlog_bytes=1000)
    await recorder.start()
    record(recorder, body=b"b" * 2000)
    with pytest.raises(CaptureUnavailable) as refusal:
        recorder.admit(new_id(), admission())
    assert refusal.value.retry_after > 0
    assert recorder.in_flight == 0
    await recorder.stop()
    assert len(read_spool(spool_dir)) == 1


async def test_a_response_beyond_its_bound_keeps_its_beginning(spool_dir: Path) -> None:
    recorder = make_recorder(spool_dir, exchange_bytes=100)
    await recorder.start()
    record(recorder, chunks=[b"a" * 60, b"b" * 60, b"c" * 10])
    await recorder.stop()
    [recorded] = read_spool(spool_dir).values()
    assert recorded.response == b"a" * 60
    assert (recorded.end.capture, recorded.end.response_bytes) == ("lost_size", 130)


@pytest.mark.parametrize("policy", ["available", "strict"])
async def test_a_spool_over_its_bound_takes_no_admission_until_there_is_room(spool_dir: Path, policy: str) -> None:
    other = spool_dir / ("0" * 32)
    other.mkdir(parents=True)
    (other / "000001.frames").write_bytes(bytes(2000))
    recorder = make_recorder(spool_dir, policy, max_bytes=1500)
    await recorder.start()
    await eventually(lambda: not recorder.ready())
    if policy == "strict":
        with pytest.raises(CaptureUnavailable):
            recorder.admit(new_id(), admission())
    else:
        assert record(recorder).muted
    (other / "000001.frames").unlink()
    await eventually(recorder.ready)
    exchange = record(recorder)
    assert not exchange.muted
    counters = recorder.counters[Slot.DROPPED_SPOOL_FULL]
    await recorder.stop()
    assert counters == (0 if policy == "strict" else 1)


async def test_a_recorder_that_is_off_keeps_and_counts_nothing(spool_dir: Path) -> None:
    recorder = make_recorder(spool_dir)
    recorder._enabled = False
    await recorder.start()
    exchange = record(recorder, finish=False)
    assert recorder.in_flight == 1
    exchange.finish(Outcome.COMPLETED)
    assert recorder.ready()
    await recorder.stop()
    assert read_files(spool_dir) == []


async def test_telemetry_and_draining_are_told_to_other_processes(spool_dir: Path) -> None:
    recorder = make_recorder(spool_dir)
    await recorder.start()
    recorder.set_draining(True)
    for kind in ("metrics", "metrics", "logs", "something new"):
        recorder.count_telemetry(kind)
    counters = read_counters(list_series(spool_dir)[0])
    assert counters[Slot.DRAINING] == 1
    telemetry = [Slot.TELEMETRY_METRICS, Slot.TELEMETRY_LOGS, Slot.TELEMETRY_TRACES, Slot.TELEMETRY_OTHER]
    assert [counters[slot] for slot in telemetry] == [2, 1, 0, 1]
    await recorder.stop()
