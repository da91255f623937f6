"""What a person calls a part of a prompt, and how a tool changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from gateway.dialects.json_values import object_or_none
from gateway.dialects.request_parts import PartKind
from gateway.history.conversation.attempts import ReadPart
from gateway.history.conversation.calls import Part

SCHEMAS: Final = frozenset({"input_schema", "parameters"})


def part_name(part: Part, at: int, read: ReadPart) -> str:
    """`tool Bash`, `system block 3`, `message 5 (user)`; `at` counts from 0 within the part's section."""
    if part.kind is PartKind.TOOL:
        return f"tool {tool_name(read(part))}"
    if part.kind is PartKind.SYSTEM:
        return f"system block {at + 1}"
    return f"message {at + 1} ({part.role or 'unknown'})"


def tool_name(tool: Any) -> str:
    """The name of a tool in any dialect; its type when it has none."""
    fields = object_or_none(tool) or {}
    function = object_or_none(fields.get("function")) or {}
    name = fields.get("name") or function.get("name") or fields.get("server_label") or fields.get("type")
    return name if isinstance(name, str) and name else "(no name)"


def first_difference(before: Sequence[Part], after: Sequence[Part], read: ReadPart) -> str | None:
    """The first part that is not what it was, by name, and what became of it; None when `after` begins with all of
    `before`."""
    pairs = zip(before, after, strict=False)
    at = next((number for number, (a, b) in enumerate(pairs) if a.digest != b.digest), min(len(before), len(after)))
    if at >= len(before):
        return None
    old, new = before[at], after[at] if at < len(after) else None
    place = sum(part.kind is old.kind for part in before[:at])
    if PartKind.TOOL in (old.kind, new.kind if new else None):
        return tool_difference(old, new, before, after, read)
    name = part_name(old, place, read)
    if new is None or new.kind > old.kind:
        return f"{name} removed"
    if new.kind < old.kind:
        return f"{part_name(new, sum(part.kind is new.kind for part in after[:at]), read)} added"
    return f"{name} changed"


def tool_difference(old: Part, new: Part | None, before: Sequence[Part], after: Sequence[Part], read: ReadPart) -> str:
    names_before, names_after = tool_names(before, read), tool_names(after, read)
    old_name = tool_name(read(old)) if old.kind is PartKind.TOOL else None
    new_name = tool_name(read(new)) if new is not None and new.kind is PartKind.TOOL else None
    if old_name is not None and old_name == new_name and new is not None:
        return f"tool {old_name} {changed_members(read(old), read(new))} changed"
    if new_name is not None and new_name not in names_before:
        return f"tool {new_name} added"
    if old_name is not None and old_name not in names_after:
        return f"tool {old_name} removed"
    return f"tools reordered from {new_name or old_name} on"


def tool_names(parts: Sequence[Part], read: ReadPart) -> set[str]:
    return {tool_name(read(part)) for part in parts if part.kind is PartKind.TOOL}


def changed_members(old: Any, new: Any) -> str:
    """Which members of a tool differ: `schema`, `description` and so on."""
    old, new = flat(old), flat(new)
    changed = [
        key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key) and key != "cache_control"
    ]
    return " and ".join(dict.fromkeys("schema" if key in SCHEMAS else key for key in changed)) or "spelling"


def flat(tool: Any) -> dict[str, Any]:
    fields = dict(object_or_none(tool) or {})
    return fields | (object_or_none(fields.pop("function", None)) or {})
