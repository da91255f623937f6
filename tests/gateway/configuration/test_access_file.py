"""The file of keys: its lines, its mistakes, and its changes while we run."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.configuration.access_file import AccessFile, WrongAccessFile, parse_access_file
from gateway.policy.keys import digest_key
from gateway.policy.snapshot import Caller

PEPPER = b"pepper"


def test_lines_become_callers() -> None:
    callers = parse_access_file("# people\nada=key-of-ada\r\n\n grace = key=with=equals \n", PEPPER)
    assert callers == {
        digest_key(PEPPER, b"key-of-ada"): Caller("ada"),
        digest_key(PEPPER, b"key=with=equals"): Caller("grace"),
    }


WRONG = {
    "no equals sign": ("ada key-of-ada", "line 1 needs the form name=key"),
    "no name": ("=key-of-ada", "line 1 needs the form name=key"),
    "a short key": ("\nada=short", "line 2: the key of ada needs 8 characters or more"),
    "a name twice": ("ada=key-of-ada\nada=another-key", "line 2: the name or the key of ada stands there twice"),
    "a key twice": ("ada=key-of-ada\ngrace=key-of-ada", "line 2: the name or the key of grace stands there twice"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_mistakes_are_named_with_their_line(text: str, message: str) -> None:
    with pytest.raises(WrongAccessFile, match=message):
        parse_access_file(text, PEPPER)


def test_a_file_that_goes_bad_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("ada=key-of-ada\n")
    access = AccessFile(path, PEPPER)
    access.load()
    before = access.callers
    assert not access.refresh()
    path.write_text("broken")
    assert not access.refresh()
    assert access.callers == before
    assert "line 1" in (access.problem or "")
    path.unlink()
    assert not access.refresh()
    assert access.callers == before
    path.write_text("ada=key-of-ada\ngrace=key-of-grace\n")
    assert access.refresh()
    assert access.problem is None
    assert len(access.callers) == 2
