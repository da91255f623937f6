"""Responses kept for those that continue them: found by every process, by their owner alone, until they are old."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uuid_utils
import zstandard

from gateway.dialects.responses.continuation import KeptResponse
from gateway.recording.kept_responses import NOWHERE, Elsewhere, KeptResponses, day_of, is_ours

RESPONSE = b'{"id":"x","output":[{"type":"message","id":"m1","n":1.10}]}'
NOW = datetime.now(UTC)


def an_id(moment: datetime = NOW) -> str:
    return "resp_" + f"{int(moment.timestamp() * 1000):012x}" + str(uuid_utils.uuid7()).replace("-", "")[12:]


def kept(previous: str = "", text: str = "hi") -> KeptResponse:
    item = msgspec.Raw(msgspec.json.encode({"role": "user", "content": text}))
    return KeptResponse(previous, [item], msgspec.Raw(RESPONSE))


@pytest.fixture
def store(tmp_path: Path) -> KeptResponses:
    return KeptResponses(tmp_path / "responses", b"pepper")


def test_what_is_kept_is_found_byte_for_byte(store: KeptResponses) -> None:
    name = an_id()
    store.keep("ada", name, kept())
    found = store.find("ada", name)
    assert found is not None
    assert bytes(found.response) == RESPONSE
    assert [bytes(item) for item in found.input] == [b'{"role":"user","content":"hi"}']


def test_another_process_finds_it(store: KeptResponses, tmp_path: Path) -> None:
    name = an_id()
    store.keep("ada", name, kept())
    program = (
        "import sys; from pathlib import Path; import django; django.setup();"
        "from gateway.recording.kept_responses import KeptResponses;"
        "found = KeptResponses(Path(sys.argv[1]), b'pepper').find('ada', sys.argv[2]);"
        "sys.stdout.write(bytes(found.response).decode())"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "responses"), name]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "proxy_project.settings"}
    assert subprocess.run(command, capture_output=True, check=True, env=environment).stdout == RESPONSE


def test_it_is_sealed_where_the_history_is(store: KeptResponses, tmp_path: Path, settings: Any) -> None:
    settings.HISTORY_KEYS = [base64.urlsafe_b64encode(bytes(32)).decode()]
    name = an_id()
    store.keep("ada", name, kept(text="a secret of the house"))
    (file,) = (path for path in (tmp_path / "responses").rglob("*") if path.is_file())
    with pytest.raises(zstandard.ZstdError):
        zstandard.decompress(file.read_bytes())
    assert store.find("ada", name) == kept(text="a secret of the house")
    settings.HISTORY_KEYS = []
    assert store.find("ada", name) is None


def test_nobody_else_finds_it(store: KeptResponses, tmp_path: Path) -> None:
    name = an_id()
    store.keep("ada", name, kept())
    assert store.find("grace", name) is None
    assert store.conversation("grace", name) is None
    assert not store.forget("grace", name)
    assert KeptResponses(tmp_path / "responses", b"other pepper").find("ada", name) is None


def test_a_conversation_is_its_turns_in_order(store: KeptResponses) -> None:
    names = [an_id() for _ in range(3)]
    for number, name in enumerate(names):
        store.keep("ada", name, kept(names[number - 1] if number else "", f"turn {number}"))
    items = store.conversation("ada", names[-1])
    assert items is not None
    said = [msgspec.json.decode(item).get("content") for item in items]
    assert said == ["turn 0", None, "turn 1", None, "turn 2", None]
    assert bytes(items[1]) == b'{"type":"message","id":"m1","n":1.10}'


def test_a_conversation_with_a_hole_is_none(store: KeptResponses) -> None:
    first, second = an_id(), an_id()
    store.keep("ada", first, kept())
    store.keep("ada", second, kept(first))
    assert store.forget("ada", first)
    assert store.conversation("ada", second) is None
    assert store.conversation("ada", first) is None


def test_what_another_host_kept_is_asked_for_elsewhere_unless_it_was_forgotten(tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []

    def elsewhere(owner: str, response_id: str) -> KeptResponse:
        asked.append((owner, response_id))
        return kept(text="from afar")

    store, name = KeptResponses(tmp_path / "responses", b"pepper", NOWHERE._replace(find=elsewhere)), an_id()
    items = store.conversation("ada", name)
    assert items is not None
    assert msgspec.json.decode(items[0])["content"] == "from afar"
    assert asked == [("ada", name)]
    assert store.forget("ada", name)
    assert store.find("ada", name) is None
    assert not store.forget("ada", name)


class Shared:
    """What two hosts have in common; `away` as a database is."""

    def __init__(self) -> None:
        self.away = False
        self.gone: set[str] = set()
        self.asked: list[datetime] = []

    def withdraw(self, response_id: str) -> bool:
        if not self.away:
            self.gone.add(response_id)
        return not self.away

    def withdrawn(self, response_ids: Sequence[str]) -> set[str]:
        return set() if self.away else self.gone & set(response_ids)

    def withdrawn_since(self, moment: datetime) -> set[str] | None:
        self.asked.append(moment)
        return None if self.away else set(self.gone)

    def host(self, directory: Path) -> KeptResponses:
        elsewhere = Elsewhere(lambda owner, response_id: kept(), self.withdraw, self.withdrawn, self.withdrawn_since)
        return KeptResponses(directory, b"pepper", elsewhere)


def test_what_one_host_deletes_no_other_finds(tmp_path: Path) -> None:
    shared, first, second = Shared(), an_id(), an_id()
    one, other = shared.host(tmp_path / "one"), shared.host(tmp_path / "other")
    one.keep("ada", first, kept())
    one.keep("ada", second, kept(first))
    assert other.forget("ada", first)
    assert one.find("ada", first) is None
    assert one.find("ada", second) is not None
    assert one.conversation("ada", second) is None


def test_what_was_withdrawn_is_emptied_on_every_host_that_kept_it(tmp_path: Path) -> None:
    shared, gone, stays = Shared(), an_id(), an_id()
    one = shared.host(tmp_path / "one")
    for name in (gone, stays):
        response = msgspec.json.encode({"id": name, "object": "response", "output": [], "text": "x" * 99})
        one.keep("ada", name, KeptResponse("", [], msgspec.Raw(response)))
    shared.gone.add(gone)
    shared.away = True
    one.sweep(NOW)
    assert sorted(path.stat().st_size > 64 for path in kept_files(tmp_path)) == [True, True]
    shared.away = False
    one.sweep(NOW + timedelta(hours=1))
    assert sorted(path.stat().st_size > 64 for path in kept_files(tmp_path)) == [False, True]
    assert one.find("ada", gone) is None
    assert one.find("ada", stays) is not None
    one.sweep(NOW + timedelta(hours=2))
    assert max(shared.asked[:2]) < NOW - timedelta(days=29)
    assert NOW < shared.asked[2] < NOW + timedelta(hours=1)


def kept_files(directory: Path) -> list[Path]:
    return [path for path in directory.glob("one/????????/*") if path.is_file()]


def test_a_deletion_nobody_could_be_told_of_is_told_later(tmp_path: Path) -> None:
    shared, name = Shared(), an_id()
    one, other = shared.host(tmp_path / "one"), shared.host(tmp_path / "other")
    shared.away = True
    one.keep("ada", name, kept())
    assert one.forget("ada", name)
    assert one.find("ada", name) is None
    one.sweep(NOW)
    shared.away = False
    assert other.find("ada", name) is not None
    one.sweep(NOW)
    assert other.find("ada", name) is None
    shared.gone.clear()
    one.sweep(NOW)
    assert not shared.gone  # told once


def test_a_response_that_continues_itself_ends_somewhere(store: KeptResponses) -> None:
    name = an_id()
    store.keep("ada", name, kept(name))
    assert store.conversation("ada", name) is None


def test_a_torn_file_is_none(store: KeptResponses, tmp_path: Path) -> None:
    name = an_id()
    store.keep("ada", name, kept())
    (file,) = (path for path in (tmp_path / "responses").rglob("*") if path.is_file())
    file.write_bytes(file.read_bytes()[:-3])
    assert store.find("ada", name) is None
    assert file.stat().st_mode & 0o077 == 0


def test_old_days_go_whole(store: KeptResponses) -> None:
    old, recent, today = (an_id(NOW - timedelta(days=days)) for days in (40, 3, 0))
    for name in (old, recent, today):
        store.keep("ada", name, kept())
    store.sweep(NOW)
    assert [store.find("ada", name) is not None for name in (old, recent, today)] == [False, True, True]


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("resp_" + "0" * 32, False),
        ("resp_0193f5a07c007abc8def0123456789ab", True),
        ("resp_71109835ca334b859dd1c0acc32b6cd8", False),
        ("resp_68af4030592c81938ec0a5fbab4a3e9f05438e46b5f69a3b", False),
        ("../../etc/passwd", False),
        ("", False),
    ],
)
def test_only_ids_of_our_making_are_looked_up(name: str, ours: bool) -> None:
    assert is_ours(name) is ours
    assert day_of(name).isdigit()
