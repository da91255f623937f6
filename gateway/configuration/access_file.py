"""`TURNLOG_ACCESS_KEYS_FILE`: who may call, one `name=key` a line; empty lines and lines that begin with # are free."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.policy.keys import digest_key
from gateway.policy.snapshot import Caller

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
SHORTEST_KEY = 8


class WrongAccessFile(ValueError):
    """The file cannot be used; the message names the line and its mend."""


def parse_access_file(text: str, pepper: bytes) -> dict[bytes, Caller]:
    """Callers by the digest of their key."""
    callers: dict[bytes, Caller] = {}
    names: set[str] = set()
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, separator, key = (part.strip() for part in line.partition("="))
        if not separator or not NAME.fullmatch(name):
            raise WrongAccessFile(f"line {number} needs the form name=key, with a name of letters, digits and ._@-")
        if len(key) < SHORTEST_KEY:
            raise WrongAccessFile(f"line {number}: the key of {name} needs {SHORTEST_KEY} characters or more")
        digest = digest_key(pepper, key.encode("utf-8"))
        if name in names or digest in callers:
            raise WrongAccessFile(f"line {number}: the name or the key of {name} stands there twice")
        names.add(name)
        callers[digest] = Caller(name)
    return callers


class AccessFile:
    """The file and what was read of it last. A file that goes bad while we run changes nothing: `problem` says so."""

    def __init__(self, path: Path | None, pepper: bytes) -> None:
        self.path = path
        self.callers: Mapping[bytes, Caller] = {}
        self.problem: str | None = None
        self._pepper = pepper
        self._seen: tuple[int, int, int] | None = None

    def load(self) -> None:
        """Read it now; raises WrongAccessFile, also when it cannot be opened."""
        if self.path is None:
            return
        try:
            self._seen = self._stamp()
            text = self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise WrongAccessFile(f"cannot be read: {error}") from None
        self.callers = parse_access_file(text, self._pepper)
        self.problem = None

    def refresh(self) -> bool:
        """Read it again if it changed; True when the callers did."""
        if self.path is None or self._stamp() == self._seen:
            return False
        before = self.callers
        try:
            self.load()
        except WrongAccessFile as error:
            self.problem = f"{self.path}: {error}"
            return False
        return self.callers != before

    def _stamp(self) -> tuple[int, int, int] | None:
        assert self.path is not None
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino
