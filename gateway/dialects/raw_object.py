"""A JSON object read member by member, with every value kept as the text it came as until somebody asks for it.

Wrong types are told to the caller with the path of the field, as a `Refused`; a null counts as absent. Bodies that
msgspec refuses over half a surrogate pair or NaN are read leniently.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any, Final, TypeVar

import msgspec

from gateway.dialects.json_values import NotJSONError, mend, read_json, write_json
from gateway.dialects.turn import Extras, Refused

_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_T = TypeVar("_T")


class RawObject:
    """`path` is where it lies in the body, such as `input.3`; empty for the body itself."""

    __slots__ = ("members", "path", "raw")

    def __init__(self, raw: bytes | memoryview | msgspec.Raw, path: str = "") -> None:
        """Raises Refused when `raw` is no object."""
        try:
            self.members = _MEMBERS.decode(raw)
        except (ValueError, RecursionError):
            raise Refused(f"{path or 'The body'} must be an object.", path) from None
        self.raw = raw
        self.path = path

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def has(self, name: str) -> bool:
        """Whether it is there and not null."""
        raw = self.members.get(name)
        return raw is not None and bytes(raw) != b"null"

    def json(self, name: str) -> str:
        """The JSON text of a member; empty when it is absent."""
        return bytes(self.members[name]).decode() if self.has(name) else ""

    def kind_of(self, name: str) -> str:
        """The first character of the member's JSON: `{`, `[`, `"`, `t`, a digit; empty when it is absent."""
        return bytes(self.members[name])[:1].decode("latin-1") if self.has(name) else ""

    def value(self, name: str) -> Any:
        return msgspec.json.decode(self.members[name]) if self.has(name) else None

    def text(self, name: str) -> str:
        """A string; empty when it is absent."""
        return self._typed(name, str, "a string") or ""

    def flag(self, name: str) -> bool | None:
        return self._typed(name, bool, "true or false")

    def integer(self, name: str) -> int | None:
        return self._typed(name, int, "a whole number")

    def number(self, name: str) -> float | None:
        return self._typed(name, float, "a number")

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(self._typed(name, list[str], "a list of strings") or ())

    def child(self, name: str) -> RawObject | None:
        return RawObject(self.members[name], self.at(name)) if self.has(name) else None

    def children(self, name: str) -> list[RawObject]:
        """The objects of a list; none when it is absent."""
        if not self.has(name):
            return []
        try:
            items = _ITEMS.decode(self.members[name])
        except (ValueError, RecursionError):
            raise Refused(f"{self.at(name)} must be a list.", self.at(name)) from None
        return [RawObject(item, f"{self.at(name)}.{number}") for number, item in enumerate(items)]

    def extras(self, known: Container[str]) -> Extras:
        """The members that are not in `known`, as they came."""
        return tuple((name, self.json(name)) for name in self.members if name not in known and self.has(name))

    def json_text(self) -> str:
        return bytes(self.raw).decode()

    def _typed(self, name: str, kind: type[_T], called: str) -> _T | None:
        if not self.has(name):
            return None
        try:
            return msgspec.json.decode(self.members[name], type=kind)
        except (ValueError, RecursionError):
            raise Refused(f"{self.at(name)} must be {called}.", self.at(name)) from None


def read_object(body: bytes) -> RawObject:
    """The object that a request's body is. Raises Refused."""
    try:
        return RawObject(body)
    except Refused:
        pass
    try:
        return RawObject(write_json(mend(read_json(body).value)))
    except (NotJSONError, RecursionError):
        raise Refused("The body is not valid JSON.") from None
