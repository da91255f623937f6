"""An erasure reaches what lies beside the history, and certifies it."""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from gateway.dialects.names import Dialect
from gateway.history.responses import find_withdrawn
from gateway.models import CacheClearing, DeadLetter, ErasureCertificate, LegalHold, RequestLog, RetentionTerm, Team
from gateway.recording import failpoints, loading
from gateway.recording.erasing import empty_letters, empty_quarantine, find_letters
from gateway.recording.frames import Kind, encode_head
from gateway.recording.letter_terms import due_letters
from gateway.recording.loader import Loader
from gateway.recording.series import QUARANTINE_NAME
from gateway.recording.status import read_status
from tests.exchanges import Sample, keep
from tests.gateway.recording.recording import record, wait_until, with_recorder

pytestmark = pytest.mark.django_db(transaction=True)


def erase(*arguments: str) -> tuple[dict[str, Any], str]:
    """The certificate, and what was told meanwhile."""
    output, told = StringIO(), StringIO()
    call_command("history", "erase", *arguments, "--yes", stdout=output, stderr=told)
    return json.loads(output.getvalue() or "{}"), told.getvalue()


@pytest.fixture
def letters(spool_dir: Path, load: Callable[[], Loader], monkeypatch: pytest.MonkeyPatch) -> list[uuid.UUID]:
    """Two exchanges of the session `gone` that could not be stored, and one of `stays`."""
    monkeypatch.setattr(loading, "FIRST_RETRY_SECONDS", 0.001)
    ids = with_recorder(
        spool_dir,
        lambda recorder: [
            uuid.UUID(bytes=record(recorder, session=name, chunks=[b"secret"]).id) for name in ("gone", "gone", "stays")
        ],
    )
    with failpoints.fault("build"):
        loader = load()
        wait_until(lambda: loader.round() or DeadLetter.objects.count() == 3)
    load()
    return ids


def test_dead_letters_of_a_session_are_emptied_and_stay_counted(letters: list[uuid.UUID], spool_dir: Path) -> None:
    told, _ = erase("--session", "gone")
    assert (told["exchanges"], told["letters"]) == (0, 2)
    left = {letter.exchange_id: bytes(letter.frames) for letter in DeadLetter.objects.all()}
    assert [bool(left[id]) for id in letters] == [False, False, True]
    status = read_status(spool_dir)
    assert status.balanced
    assert status.dropped == {"dead_letter": 1, "discarded": 2}
    assert CacheClearing.objects.exists()


def test_a_letter_that_was_stored_after_all_is_emptied_with_its_exchange(letters: list[uuid.UUID]) -> None:
    call_command("deadletters", "replay", "--all", stdout=StringIO())
    assert RequestLog.objects.count() == 3
    told, _ = erase("--session", "gone")
    assert (told["exchanges"], told["letters"]) == (2, 2)
    assert [bytes(DeadLetter.objects.get(exchange_id=id).frames) for id in letters[:2]] == [b"", b""]
    assert {letter.state for letter in DeadLetter.objects.all()} == {DeadLetter.State.REPLAYED}


def test_a_held_letter_stays(letters: list[uuid.UUID]) -> None:
    LegalHold.objects.create(name="Case 1", session_id="gone")
    told, said = erase("--session", "gone")
    assert told == {}
    assert "0 dead letters" in said
    assert find_letters({"session": "gone"}).held == 2
    assert not DeadLetter.objects.filter(frames=b"").exists()


def test_a_letter_nobody_can_read_is_told_of(letters: list[uuid.UUID]) -> None:
    DeadLetter.objects.filter(exchange_id=letters[0]).update(frames=b"torn")
    told, said = erase("--session", "gone")
    assert told["letters"] == 1
    assert "1 dead letters cannot be read" in said


def test_dead_letters_go_when_their_term_is_over(letters: list[uuid.UUID]) -> None:
    now = datetime.datetime.now(datetime.UTC)
    assert due_letters(now + datetime.timedelta(days=900)) == []
    RetentionTerm.objects.create(team=Team.objects.create(name="red"), days=3)
    assert due_letters(now + datetime.timedelta(days=9)) == [], "they are of no team"
    RetentionTerm.objects.create(days=7)
    assert due_letters(now + datetime.timedelta(days=6)) == []
    DeadLetter.objects.filter(exchange_id=letters[0]).update(frames=b"torn")
    LegalHold.objects.create(name="Case 1", session_id="stays")
    assert due_letters(now + datetime.timedelta(days=8)) == letters[:2]
    empty_letters(letters[:2])
    assert due_letters(now + datetime.timedelta(days=8)) == []


def test_a_response_is_withdrawn_with_its_exchange() -> None:
    headers = [("x-claude-code-session-id", "gone")]
    [id] = keep([Sample({"model": "gpt-5.5", "input": "x"}, dialect=Dialect.RESPONSES, request_headers=headers)])
    told, _ = erase("--session", "gone")
    assert told["responses"] == 1
    name = f"resp_{id.hex}"
    assert find_withdrawn([name, f"resp_{uuid.UUID(int=id.int + 1).hex}"]) == {name}


def test_damage_that_names_what_was_erased_is_emptied(tmp_path: Path) -> None:
    [id] = keep([Sample({"model": "claude-opus-5-5"}, request_headers=[("x-claude-code-session-id", "gone")])])
    quarantine = tmp_path / QUARANTINE_NAME
    quarantine.mkdir()
    head = encode_head(Kind.PROGRESS, id.bytes, b"meta", [b"secret"], seed=1)
    other = encode_head(Kind.PROGRESS, uuid.uuid4().bytes, b"meta", [b"other"], seed=1)
    (quarantine / "a-1.frames-0").write_bytes(b"torn" + head + b"secr")
    (quarantine / "a-1.frames-9").write_bytes(b"torn" + other + b"oth")
    (quarantine / "a-1.stubs-0").write_bytes(b"..\xc4\x04gone..")
    (quarantine / "a-1.stubs-9").write_bytes(b"begone")
    erase("--session", "gone")
    assert empty_quarantine(tmp_path, {"gone"}) == 2
    assert {path.name: path.stat().st_size > 0 for path in quarantine.iterdir()} == {
        "a-1.frames-0": False,
        "a-1.frames-9": True,
        "a-1.stubs-0": False,
        "a-1.stubs-9": True,
    }
    assert ErasureCertificate.objects.get().quarantined == 0, "that of the data directory, which has none"
