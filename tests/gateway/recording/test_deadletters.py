"""Dead letters are listed, shown, stored after all or given up, and none of it changes a sum twice."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from gateway.history.store import rebuild_request, rebuild_response
from gateway.models import DeadLetter, RequestLog, StoredBody
from gateway.recording import failpoints, loading
from gateway.recording.loader import Loader
from gateway.recording.status import read_status
from tests.gateway.recording.recording import record, wait_until, with_recorder

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: str, **options: Any) -> str:
    output = StringIO()
    call_command("deadletters", *arguments, stdout=output, **options)
    return output.getvalue()


@pytest.fixture
def letters(spool_dir: Path, load: Callable[[], Loader], monkeypatch: pytest.MonkeyPatch) -> list[uuid.UUID]:
    """Ids of three exchanges that could not be stored."""
    monkeypatch.setattr(loading, "FIRST_RETRY_SECONDS", 0.001)
    ids = with_recorder(
        spool_dir,
        lambda recorder: [uuid.UUID(bytes=record(recorder, body=b"b%d" % n, chunks=[b"c"]).id) for n in range(3)],
    )
    with failpoints.fault("build"):
        loader = load()
        wait_until(lambda: loader.round() or DeadLetter.objects.count() == 3)
    load()
    return ids


def sums(spool_dir: Path) -> tuple[int, int | None, int, dict[str, int], bool | None]:
    status = read_status(spool_dir)
    return status.accepted, status.stored, status.spooled, status.dropped, status.balanced


def test_the_list_names_them_and_their_reason(letters: list[uuid.UUID]) -> None:
    listed = json.loads(run("list", "--json"))
    assert [one["id"] for one in listed] == [str(id) for id in letters]
    assert listed[0]["reason"].startswith("InjectedFault")
    assert "3 dead letters wait" in run("list")


def test_show_tells_what_one_holds(letters: list[uuid.UUID]) -> None:
    shown = json.loads(run("show", str(letters[1])))
    expected = {
        "state": "waiting",
        "path": "/v1/messages",
        "outcome": "completed",
        "request_bytes": 2,
        "response_bytes": 1,
    }
    assert {key: shown[key] for key in expected} == expected


def test_replaying_everything_twice_changes_no_sum(spool_dir: Path, letters: list[uuid.UUID]) -> None:
    assert sums(spool_dir) == (3, 0, 0, {"dead_letter": 3}, True)
    run("replay", "--all")
    assert sums(spool_dir) == (3, 3, 0, {}, True)
    run("replay", "--all")
    run("replay", *map(str, letters))
    assert sums(spool_dir) == (3, 3, 0, {}, True)
    assert RequestLog.objects.count() == 3
    assert StoredBody.objects.count() == 6
    assert [rebuild_request(id) for id in letters] == [b"b0", b"b1", b"b2"]
    assert rebuild_response(letters[0]) == b"c"


def test_a_replay_that_fails_leaves_the_letter_waiting(spool_dir: Path, letters: list[uuid.UUID]) -> None:
    DeadLetter.objects.filter(exchange_id=letters[0]).update(frames=b"damaged")
    with pytest.raises(CommandError, match="1 of 3"):
        run("replay", "--all")
    letter = DeadLetter.objects.get(exchange_id=letters[0])
    assert (letter.state, letter.attempts) == ("waiting", 6)
    assert "damaged" in letter.detail
    assert sums(spool_dir) == (3, 2, 0, {"dead_letter": 1}, True)


def test_discarding_deletes_the_bytes_and_keeps_the_count(spool_dir: Path, letters: list[uuid.UUID]) -> None:
    run("discard", str(letters[0]), "--yes")
    letter = DeadLetter.objects.get(exchange_id=letters[0])
    assert (letter.state, bytes(letter.frames)) == ("discarded", b"")
    assert sums(spool_dir) == (3, 0, 0, {"dead_letter": 2, "discarded": 1}, True)


def test_discarding_asks_first(letters: list[uuid.UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda prompt: "n")
    with pytest.raises(CommandError, match="nothing discarded"):
        run("discard", "--all")
    assert DeadLetter.objects.filter(state="waiting").count() == 3


@pytest.mark.parametrize("arguments", [("replay",), ("discard", "--yes"), ("replay", str(uuid.UUID(int=1)), "--all")])
def test_ids_or_all_but_not_both(arguments: tuple[str, ...], db: None) -> None:
    with pytest.raises(CommandError, match="name ids, or say --all"):
        run(*arguments)
