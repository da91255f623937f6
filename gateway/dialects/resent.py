"""An answer's message as its client sends it back in the next request, so that it is stored once."""

from __future__ import annotations

from gateway.dialects.json_values import JSONObject, objects_of, write_json
from gateway.dialects.names import Dialect


def resent_message(dialect: Dialect, message: JSONObject) -> bytes | None:
    """JSON of the message Claude Code and the SDKs put into their history; of Responses all output items in one list.
    None when there is nothing to send back."""
    if dialect is Dialect.ANTHROPIC:
        content = message.get("content")
        return write_json({"role": "assistant", "content": content}) if content else None
    if dialect is Dialect.RESPONSES:
        output = message.get("output")
        return write_json(output) if output else None
    choices = objects_of(message.get("choices"))
    return write_json(choices[0]["message"]) if choices and choices[0].get("message") else None
