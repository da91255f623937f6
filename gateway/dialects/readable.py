"""What another dialect has blocks or marks for, as words that every model reads."""

from __future__ import annotations

from gateway.dialects.json_values import NotJSONError, is_object, objects_of, read_json
from gateway.dialects.names import Dialect
from gateway.dialects.turn import Loss, Unknown


def as_error(text: str) -> str:
    """What a call that failed gave, where results have no mark for it."""
    if text.lower().startswith("error"):
        return text
    return f"Error: {text}" if text else "Error"


def told_as_text(kind: str) -> Loss:
    return Loss(f"messages[].{kind}", "told as text")


def readable(part: Unknown) -> str | None:
    """The words in a block that is known to be about text; None for every other."""
    if part.dialect is not Dialect.ANTHROPIC:
        return None
    try:
        value = read_json(part.raw.encode()).value
    except NotJSONError:
        return None
    block = value if is_object(value) else {}
    if part.kind == "tool_reference":
        return f"The tool {block.get('tool_name')} is now available."
    if part.kind in ("search_result", "document"):
        source = block.get("source")
        parts = objects_of(block.get("content")) or objects_of(source.get("content") if is_object(source) else None)
        lines = [block.get("title"), source if isinstance(source, str) else None, *(item.get("text") for item in parts)]
        return "\n".join(line for line in lines if isinstance(line, str) and line)
    if part.kind == "web_search_tool_result":
        found = objects_of(block.get("content"))
        return "\n".join(f"{item.get('title')} ({item.get('url')})" for item in found)
    return None
