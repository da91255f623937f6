"""Responses the gateway keeps for callers that come back with `previous_response_id`.

A file for each, beside the spool: written before the caller gets the end of its answer, so that every process of this
host finds it from then on, also after a restart and while PostgreSQL is away. The name of a file is a keyed digest of
owner and id, so nobody finds another's; the folder is the day in the id, and whole days go when they are old. A
response holds what its own request added; what came before is read from those it continues. What is kept is sealed like
the history.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import zstandard

from gateway.dialects.responses.continuation import Items, KeptResponse, output_items
from gateway.models.at_rest import seal, unseal

KEPT_DAYS: Final = 30
MOST_BYTES: Final = 4 * 1024 * 1024 * 1024
LONGEST_CHAIN: Final = 1000
_DAY: Final = "%Y%m%d"
_LONGEST_MARK: Final = 64
"""What is kept is longer."""
_BOUND: Final = 256 * 1024 * 1024
_WITHDRAWN: Final = "withdrawn"
"""An empty file: until when what was withdrawn has been emptied here."""
_LONGEST_TRANSACTION: Final = timedelta(minutes=10)


class _Named(msgspec.Struct):
    id: str = ""


class Elsewhere(NamedTuple):
    """What all hosts share. `find` is asked, by owner and id, for a response this host knows nothing of; `withdraw`
    tells of a deleted one, False when it could not; `withdrawn` says which of some ids were, `withdrawn_since` which
    were since a moment, None when it cannot be said."""

    find: Callable[[str, str], KeptResponse | None]
    withdraw: Callable[[str], bool]
    withdrawn: Callable[[Sequence[str]], set[str]]
    withdrawn_since: Callable[[datetime], set[str] | None]


NOWHERE: Final = Elsewhere(
    lambda owner, response_id: None, lambda response_id: True, lambda response_ids: set(), lambda moment: set()
)


class KeptResponses:
    """All methods block; `directory` is made when the first response is kept."""

    def __init__(self, directory: Path, pepper: bytes, elsewhere: Elsewhere = NOWHERE) -> None:
        self._directory = directory
        self._pepper = pepper
        self._elsewhere = elsewhere

    def keep(self, owner: str, response_id: str, kept: KeptResponse) -> None:
        """Raises OSError when it cannot be written."""
        path = self._path(owner, response_id)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        data = seal(zstandard.ZstdCompressor(level=3).compress(msgspec.json.encode(kept)))
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def find(self, owner: str, response_id: str) -> KeptResponse | None:
        """None when there is none of that id, it is another's, or it was deleted on whatever host."""
        found = self._find(owner, response_id)
        return None if found is None or self._elsewhere.withdrawn([response_id]) else found

    def _find(self, owner: str, response_id: str) -> KeptResponse | None:
        try:
            return read_kept(self._path(owner, response_id))
        except OSError:
            return self._elsewhere.find(owner, response_id)

    def forget(self, owner: str, response_id: str) -> bool:
        """Whether there was one. A mark stays in its place: the id as long as the other hosts are not told."""
        if self.find(owner, response_id) is None:
            return False
        path = self._path(owner, response_id)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_bytes(response_id.encode())
        self._tell(path)
        return True

    def _tell(self, mark: Path) -> None:
        response_id = mark.read_bytes().decode("latin-1")
        if is_ours(response_id) and self._elsewhere.withdraw(response_id):
            mark.write_bytes(b"")

    def conversation(self, owner: str, response_id: str) -> Items | None:
        """All items up to and with the response's own, in order; None when it or one before it is not there."""
        turns: list[Items] = []
        names: list[str] = []
        while response_id:
            kept = self._find(owner, response_id)
            if kept is None or len(turns) >= LONGEST_CHAIN:
                return None
            turns.append([*kept.input, *output_items(bytes(kept.response))])
            names.append(response_id)
            response_id = kept.previous
        if names and self._elsewhere.withdrawn(names):
            return None
        return [item for turn in reversed(turns) for item in turn]

    def sweep(self, now: datetime) -> None:
        """Remove the days that are too old, and the oldest ones while all together are too big; tell of what was
        deleted while nobody could be told."""
        days = sorted(path for path in self._directory.glob("????????") if path.is_dir())
        oldest = (now - timedelta(days=KEPT_DAYS)).strftime(_DAY)
        sizes = {day: sum(file.stat().st_size for file in day.iterdir()) for day in days}
        total = sum(sizes.values())
        for day in days:
            if day is not days[-1] and (day.name < oldest or total > MOST_BYTES):
                shutil.rmtree(day, ignore_errors=True)
                total -= sizes[day]
                continue
            for mark in day.iterdir():
                if 0 < mark.stat().st_size <= _LONGEST_MARK:
                    self._tell(mark)
        self._empty_withdrawn(now)

    def _empty_withdrawn(self, now: datetime) -> None:
        """What was deleted on another host, or erased from the history, goes here too: looked for in the files of its
        day, once."""
        done = self._directory / _WITHDRAWN
        since = datetime.fromtimestamp(done.stat().st_mtime, UTC) if done.exists() else now - timedelta(days=KEPT_DAYS)
        names = self._elsewhere.withdrawn_since(since - _LONGEST_TRANSACTION)
        if names is None or not self._directory.is_dir():
            return
        self.empty(names)
        done.touch()
        os.utime(done, (now.timestamp(), now.timestamp()))

    def empty(self, response_ids: Collection[str]) -> int:
        """Leave of these nothing but empty files, whoever they belong to; how many of them lay here."""
        found = 0
        for day in {day_of(name) for name in response_ids}:
            for path in (self._directory / day).glob("*"):
                if path.stat().st_size > _LONGEST_MARK and name_of(read_kept(path)) in response_ids:
                    path.write_bytes(b"")
                    found += 1
        return found

    def _path(self, owner: str, response_id: str) -> Path:
        digest = hmac.digest(self._pepper, f"{owner}\0{response_id}".encode("utf-8", "replace"), hashlib.sha256)
        return self._directory / day_of(response_id) / digest.hex()


def read_kept(path: Path) -> KeptResponse | None:
    """None when it was deleted, is torn, or is sealed with a key that is gone. Raises OSError."""
    data = path.read_bytes()
    if len(data) <= _LONGEST_MARK:
        return None
    try:
        plain = zstandard.ZstdDecompressor().decompress(unseal(data), max_output_size=_BOUND)
        return msgspec.json.decode(plain, type=KeptResponse)
    except (zstandard.ZstdError, ValueError):
        return None


def name_of(kept: KeptResponse | None) -> str:
    """The id of the response; empty when it has none."""
    try:
        return msgspec.json.decode(kept.response, type=_Named).id if kept is not None else ""
    except (msgspec.DecodeError, ValueError):
        return ""


def day_of(response_id: str) -> str:
    """The day in the UUIDv7 that an id of ours is made of; a fixed one for any other id."""
    digits = response_id.removeprefix("resp_")
    try:
        moment = datetime.fromtimestamp(int(digits[:12], 16) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return "00000000"
    return moment.strftime(_DAY)


def is_ours(response_id: str) -> bool:
    """Whether an id is of the kind this gateway gives: `resp_` and a UUIDv7. OpenAI's are longer."""
    digits = response_id.removeprefix("resp_")
    return len(digits) == 32 and digits[12] == "7" and all(character in "0123456789abcdef" for character in digits)
