"""Requests are put down for sending as spans with their record, or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from gateway.dialects.names import Outcome
from gateway.models import RequestLog, WaitingTrace
from gateway.recording import failpoints
from gateway.recording.loader import Loader
from gateway.recording.recorder import Recorder
from tests.gateway.recording.recording import admission, new_id, record, with_recorder

pytestmark = pytest.mark.django_db(transaction=True)

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"


def load(spool_dir: Path, share: float | None) -> None:
    with closing(Loader(spool_dir, traced_share=share)) as loader:
        while loader.round():
            pass


def record_with(spool_dir: Path, traceparents: Sequence[str], purpose: str = "") -> list[uuid.UUID]:
    def work(recorder: Recorder) -> Iterator[uuid.UUID]:
        for value in traceparents:
            admitted = admission(headers=[(b"traceparent", value.encode())] if value else [])
            exchange = recorder.admit(new_id(), msgspec.structs.replace(admitted, purpose=purpose))
            exchange.finish(Outcome.COMPLETED)
            yield uuid.UUID(bytes=exchange.id)

    return with_recorder(spool_dir, lambda recorder: list(work(recorder)))


def waiting() -> set[uuid.UUID]:
    return set(WaitingTrace.objects.values_list("pk", flat=True))


def test_without_an_endpoint_there_is_no_row(spool_dir: Path) -> None:
    record_with(spool_dir, ["", f"00-{TRACE}-01"])
    load(spool_dir, None)
    assert RequestLog.objects.count() == 2
    assert not waiting()


def test_the_client_s_flag_counts_else_the_share(spool_dir: Path) -> None:
    yes, *_ = record_with(spool_dir, [f"00-{TRACE}-01", f"00-{TRACE}-00", ""])
    load(spool_dir, 0.0)
    assert waiting() == {yes}
    second = record_with(spool_dir, [f"00-{TRACE}-01", f"00-{TRACE}-00", ""])
    load(spool_dir, 1.0)
    assert waiting() == {yes, second[0], second[2]}


@pytest.mark.parametrize("purpose", ["replay", "selftest"])
def test_repetitions_are_not_sent(spool_dir: Path, purpose: str) -> None:
    record_with(spool_dir, [f"00-{TRACE}-01"], purpose)
    load(spool_dir, 1.0)
    assert RequestLog.objects.count() == 1
    assert not waiting()


def test_a_record_that_is_not_stored_is_not_put_down(spool_dir: Path) -> None:
    kept = with_recorder(spool_dir, lambda recorder: uuid.UUID(bytes=record(recorder).id))
    with failpoints.fault("commit"):
        load(spool_dir, 1.0)
        assert not waiting()
    load(spool_dir, 1.0)
    load(spool_dir, 1.0)
    assert waiting() == {kept}
