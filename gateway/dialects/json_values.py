"""JSON as providers really send it: read strictly and fast when it is right, leniently when it is not.

The lenient reading serves the record only; what it had to replace is said (`Reading.mended`). Half of a surrogate pair
is kept as it came until the text is whole, because some servers cut a stream's text between the two halves.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final, NamedTuple, TypeGuard

import msgspec

JSONObject = dict[str, Any]

_MOST_DIGITS: Final = 4000


class NotJSONError(ValueError):
    """The bytes are not JSON, however leniently read."""


class Reading(NamedTuple):
    """`mended`: bytes that are not UTF-8, control characters, lone surrogates, NaN or absurd numbers were let in."""

    value: Any
    mended: bool


def read_json(data: bytes) -> Reading:
    """The value in `data`. Raises NotJSONError."""
    try:
        return Reading(msgspec.json.decode(data), False)
    except (ValueError, RecursionError):
        pass
    try:
        text = data.decode("utf-8", "replace").removeprefix("\ufeff")
        return Reading(json.loads(text, strict=False, parse_int=_read_int), True)
    except (ValueError, RecursionError) as problem:
        raise NotJSONError(str(problem)) from None


def _read_int(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else math.inf


def write_json(value: Any) -> bytes:
    """`value` as JSON in UTF-8. Never raises: what cannot be written (nesting beyond all measure) becomes null."""
    try:
        return msgspec.json.encode(value)
    except (ValueError, TypeError, OverflowError, RecursionError):
        pass
    try:
        return json.dumps(mend(value), ensure_ascii=False, separators=(",", ":"), default=repr).encode("utf-8")
    except (ValueError, TypeError, RecursionError):
        return b"null"


def mend(value: Any) -> Any:
    """`value` with halves of surrogate pairs joined or replaced, and NaN and infinities as None. May raise
    RecursionError."""
    if isinstance(value, str):
        return mend_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [mend(item) for item in value]
    if isinstance(value, dict):
        return {mend_text(key): mend(item) for key, item in value.items()}
    return value


def mend_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def fit_text(text: str) -> str:
    """`text` as a text column can hold it: no NUL, no half of a surrogate pair."""
    return mend_text(text.replace("\0", "\ufffd"))


def fit(value: Any) -> Any:
    """A value as a JSON column can hold it: `fit_text` all through, no NaN. May raise RecursionError."""
    if isinstance(value, str):
        return fit_text(value)
    if isinstance(value, list):
        return [fit(item) for item in value]
    if isinstance(value, dict):
        return {fit_text(key): fit(item) for key, item in value.items()}
    return mend(value)


def is_object(value: Any) -> TypeGuard[JSONObject]:
    return isinstance(value, dict)


def object_or_none(value: Any) -> JSONObject | None:
    return value if isinstance(value, dict) else None


def objects_of(value: Any) -> list[JSONObject]:
    """The objects in a list; an empty list when `value` is none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None
