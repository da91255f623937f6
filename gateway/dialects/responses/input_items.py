"""The items of a request's `input` as the messages they make up.

Items are finer than messages: what the model said in one go is a reasoning item, a message and its calls one after the
other, and each result is an item of its own. Neighbours that belong together become one message, because the other
dialects need a thought, its text and its calls in one place, and the results of parallel calls next to each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from gateway.dialects.names import Dialect
from gateway.dialects.raw_object import RawObject
from gateway.dialects.responses.parts import decode_content
from gateway.dialects.seals import is_redacted, unwrap
from gateway.dialects.turn import Message, Part, Refused, Role, Text, Thinking, ToolCall, ToolKind, ToolResult, Unknown

_ROLES: Final = {role.value: role for role in Role}
_SETTLED: Final = frozenset({"additional_tools", "compaction_trigger"})
"""Items that are no part of the conversation: others read them."""
COMPACTION: Final = "compaction"
SUMMARY_PREFIX: Final = "[Summary of the conversation so far]\n"


def decode_items(items: list[RawObject]) -> tuple[Message, ...]:
    """Raises Refused."""
    gather = _Gather()
    for item in items:
        gather.take(item)
    return gather.finish()


class _Gather:
    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._role = Role.USER
        self._parts: list[Part] = []
        self._spoken = False

    def take(self, item: RawObject) -> None:
        kind = item.text("type") or ("message" if item.has("role") else "")
        if kind in _SETTLED:
            return
        if kind == "message":
            self._take_message(item)
        elif kind in CALLS:
            self._add(Role.ASSISTANT, CALLS[kind](item))
        elif kind in RESULTS:
            self._add(Role.USER, RESULTS[kind](item))
        elif kind == COMPACTION:
            self._take_compaction(item)
        elif kind == "item_reference":
            raise Refused(f"{item.path} refers to an item this gateway has not kept. Send the item itself.", item.path)
        elif not kind:
            raise Refused(f"{item.path} needs a type.", item.path)
        else:
            self._add(Role.ASSISTANT, Unknown(Dialect.RESPONSES, kind, item.json_text()))

    def _take_message(self, item: RawObject) -> None:
        role = _ROLES.get(item.text("role"))
        if role is None:
            raise Refused(f"{item.at('role')} must be one of {', '.join(_ROLES)}.", item.at("role"))
        parts, plain = decode_content(item, "content")
        if role is Role.ASSISTANT:
            if self._role is not Role.ASSISTANT or self._spoken:
                self._flush()
            self._role, self._spoken = role, True
            self._parts += parts
            return
        self._flush()
        self._messages.append(Message(role, parts, plain=plain))

    def _take_compaction(self, item: RawObject) -> None:
        """What an earlier call summed up, if it was one of ours: it stands where the conversation was."""
        self._flush()
        seal = unwrap(item.text("encrypted_content"), Dialect.RESPONSES)
        if seal.item != COMPACTION:
            raise Refused(f"{item.path} is a compaction only the provider that made it can read.", item.path)
        self._messages.append(Message(Role.USER, (Text(SUMMARY_PREFIX + seal.value),)))

    def _add(self, role: Role, part: Part) -> None:
        if role is not self._role:
            self._flush()
            self._role = role
        self._parts.append(part)

    def _flush(self) -> None:
        if self._parts:
            self._messages.append(Message(self._role, tuple(self._parts)))
        self._parts, self._spoken = [], False

    def finish(self) -> tuple[Message, ...]:
        self._flush()
        return tuple(self._messages)


def _reasoning(item: RawObject) -> Thinking:
    summary, _ = decode_content(item, "summary")
    content, _ = decode_content(item, "content")
    texts = [part.text for part in (summary or content) if isinstance(part, Text)]
    sealed = item.text("encrypted_content")
    seal = unwrap(sealed, Dialect.RESPONSES, item.text("id")) if sealed else None
    text = "\n\n".join(texts)
    return Thinking(text, seal, redacted=is_redacted(text, seal), summary=bool(summary))


def _function_call(item: RawObject) -> ToolCall:
    call, name, space = _call_id(item), item.text("name"), item.text("namespace")
    return ToolCall(call, name, item.text("arguments"), namespace=space, item=item.text("id"))


def _custom_call(item: RawObject) -> ToolCall:
    call, name, space = _call_id(item), item.text("name"), item.text("namespace")
    return ToolCall(call, name, item.text("input"), kind="custom", namespace=space, item=item.text("id"))


def _local_shell_call(item: RawObject) -> ToolCall:
    return ToolCall(_call_id(item), "local_shell", _action(item, "action"), kind="shell", item=item.text("id"))


def _shell_call(item: RawObject) -> ToolCall:
    return ToolCall(_call_id(item), "shell", _action(item, "action"), kind="shell", item=item.text("id"))


def _patch_call(item: RawObject) -> ToolCall:
    return ToolCall(_call_id(item), "apply_patch", item.json("operation"), kind="patch", item=item.text("id"))


def _action(item: RawObject, name: str) -> str:
    """The action's own fields: that it is to be executed is what the call says already."""
    child = item.child(name)
    members = {} if child is None else {key: raw for key, raw in child.members.items() if key not in ("type", "env")}
    if child is not None and child.has("env") and child.json("env") != "{}":
        members["env"] = child.members["env"]
    return msgspec.json.encode(members).decode()


def _call_id(item: RawObject) -> str:
    call = item.text("call_id") or item.text("id")
    if not call:
        raise Refused(f"{item.path} needs a call_id.", item.path)
    return call


def _result(kind: ToolKind) -> Callable[[RawObject], ToolResult]:
    def decode(item: RawObject) -> ToolResult:
        failed = item.text("status") in ("failed", "incomplete")
        return ToolResult(_call_id(item), _output(item), is_error=failed, kind=kind)

    return decode


def _output(item: RawObject) -> tuple[Part, ...]:
    """A string or parts; anything else (what a shell printed, by stream) is told as its JSON."""
    if item.kind_of("output") in ("", '"'):
        return (Text(item.text("output")),)
    parts: tuple[Part, ...] = ()
    if item.kind_of("output") == "[":
        parts, _ = decode_content(item, "output")
    known = any(not isinstance(part, Unknown) for part in parts)
    return parts if known else (Text(item.json("output")),)


CALLS: Final[dict[str, Callable[[RawObject], Part]]] = {
    "reasoning": _reasoning,
    "function_call": _function_call,
    "custom_tool_call": _custom_call,
    "local_shell_call": _local_shell_call,
    "shell_call": _shell_call,
    "apply_patch_call": _patch_call,
}
RESULTS: Final[dict[str, Callable[[RawObject], Part]]] = {
    "function_call_output": _result("function"),
    "custom_tool_call_output": _result("custom"),
    "local_shell_call_output": _result("shell"),
    "shell_call_output": _result("shell"),
    "apply_patch_call_output": _result("patch"),
}
