"""Citations of pages on the web, in the forms that dialects have for them. Any other is said in its own dialect alone:
those of Anthropic's hold what only Anthropic can seal, or count in pages and blocks of its own."""

from __future__ import annotations

from typing import Any, Final

from gateway.dialects.json_values import JSONObject, NotJSONError, is_object, read_json, write_json
from gateway.dialects.names import Dialect
from gateway.dialects.turn import Unknown

KIND: Final = "url_citation"
_MEMBERS: Final = ("start_index", "end_index", "url", "title")


def read_annotation(annotation: Any, dialect: Dialect) -> Unknown | None:
    """One as it came; None when it is no object."""
    if not is_object(annotation):
        return None
    kind = annotation.get("type")
    return Unknown(dialect, kind if isinstance(kind, str) else "", write_json(annotation).decode())


def as_annotation(citation: Unknown, dialect: Dialect) -> JSONObject | None:
    """It as `dialect` says it; None when it cannot."""
    try:
        value = read_json(citation.raw.encode()).value
    except NotJSONError:
        return None
    if not is_object(value):
        return None
    if citation.dialect is dialect:
        return value
    if value.get("type") != KIND or Dialect.ANTHROPIC in (dialect, citation.dialect):
        return None
    said = value[KIND] if is_object(value.get(KIND)) else value
    plain = {name: said[name] for name in _MEMBERS if name in said}
    return {"type": KIND, KIND: plain} if dialect is Dialect.CHAT else {"type": KIND, **plain}


def can_say(citation: Unknown, dialect: Dialect) -> bool:
    return as_annotation(citation, dialect) is not None
