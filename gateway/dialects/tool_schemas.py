"""What a function takes, as every API wants it said: an object, with its properties, be they none.

MCP servers and SDKs describe a tool without arguments as `{}` or `{"type": "object"}`. Anthropic refuses the first
("input_schema.type: Field required"), OpenAI both ("object schema missing properties").
"""

from __future__ import annotations

from typing import Final

import msgspec

EMPTY_SCHEMA: Final = '{"type":"object","properties":{}}'
_read: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def object_schema(schema: str) -> str:
    """The schema's own text, with what is missing in front. What is no object stays as it is: who is asked says why."""
    try:
        members = _read(schema) if schema else {}
    except ValueError:
        return schema
    if not members:
        return EMPTY_SCHEMA
    kind = bytes(members.get("type", msgspec.Raw(b'"object"')))
    missing = "" if "type" in members else '"type":"object",'
    if kind == b'"object"' and "properties" not in members:
        missing += '"properties":{},'
    return schema.replace("{", "{" + missing, 1) if missing else schema
