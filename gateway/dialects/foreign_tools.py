"""Tools that only the Responses API has a word for, said as the functions every dialect has, and the calls of them.

A custom tool takes free text: as a function it takes `{"input": text}`. `local_shell`, `shell` and `apply_patch` have
calls of their own shape: as functions they take that shape as arguments. A namespace becomes part of the name. The
model's calls come back under the function's name and are recognised by the request that offered it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Final

import msgspec

from gateway.dialects.names import Dialect
from gateway.dialects.turn import ProviderTool, Refused, Tool, ToolCall, ToolChoice

__all__ = [
    "ForeignTools",
    "as_function",
    "call_as_function",
    "chosen_name",
    "flat_name",
    "free_text",
    "refuse_others_tool",
]

LONGEST_NAME: Final = 64
_FORBIDDEN: Final = re.compile(r"[^A-Za-z0-9_-]")
_DIGEST_CHARACTERS: Final = 8

FREE_TEXT: Final = (
    '{"type":"object","properties":{"input":{"type":"string","description":"The whole input, as free text."}},'
    '"required":["input"],"additionalProperties":false}'
)
_ACTIONS: Final = {
    "local_shell": (
        "Run a command on the user's machine.",
        '{"type":"object","properties":{"command":{"type":"array","items":{"type":"string"},"description":"The command '
        'and its arguments."},"working_directory":{"type":"string"},"timeout_ms":{"type":"integer"}},'
        '"required":["command"]}',
    ),
    "shell": (
        "Run shell commands on the user's machine.",
        '{"type":"object","properties":{"commands":{"type":"array","items":{"type":"string"}},'
        '"timeout_ms":{"type":"integer"},"max_output_length":{"type":"integer"}},"required":["commands"]}',
    ),
    "apply_patch": (
        "Create, update or delete one file. The diff of a created file is its lines, each behind a +; of an updated "
        "one it is hunks of context, - and + lines, each hunk begun by @@.",
        '{"type":"object","properties":{"type":{"type":"string","enum":["create_file","update_file","delete_file"]},'
        '"path":{"type":"string"},"diff":{"type":"string"}},"required":["type","path"]}',
    ),
}


class _FreeText(msgspec.Struct):
    input: str


def flat_name(name: str, namespace: str = "") -> str:
    """The name as a function's: letters, digits, `_` and `-`, at most 64. One that had to be cut ends in a digest."""
    whole = f"{namespace}__{name}" if namespace else name
    flat = _FORBIDDEN.sub("_", whole)
    if len(flat) <= LONGEST_NAME:
        return flat
    digest = hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest()[:_DIGEST_CHARACTERS]
    return f"{flat[: LONGEST_NAME - _DIGEST_CHARACTERS - 1]}_{digest}"


def as_function(tool: Tool) -> Tool:
    """`tool` as a function without a namespace. A custom tool's grammar is told in the description: nothing enforces
    it there."""
    name = flat_name(tool.name, tool.namespace)
    if tool.kind == "custom":
        return msgspec.structs.replace(
            tool, name=name, namespace="", kind="function", schema=FREE_TEXT, description=_described(tool)
        )
    if tool.kind in ("shell", "patch"):
        description, schema = _ACTIONS.get(tool.name, _ACTIONS["local_shell"])
        return msgspec.structs.replace(
            tool, name=name, namespace="", kind="function", schema=schema, description=tool.description or description
        )
    return tool if name == tool.name else msgspec.structs.replace(tool, name=name, namespace="")


def _described(tool: Tool) -> str | None:
    try:
        grammar = msgspec.json.decode(tool.schema) if tool.schema else None
    except ValueError:
        grammar = None
    if not isinstance(grammar, dict) or not isinstance(grammar.get("definition"), str):
        return tool.description
    syntax = grammar.get("syntax", "")
    said = f"The input must fit this {syntax} grammar:\n{grammar['definition']}"
    return f"{tool.description}\n\n{said}" if tool.description else said


def call_as_function(call: ToolCall) -> ToolCall:
    """A call in the history, as the model would have made it of `as_function`'s tool."""
    name = flat_name(call.name, call.namespace)
    if call.kind == "custom":
        arguments = msgspec.json.encode({"input": call.arguments}).decode()
        return msgspec.structs.replace(call, name=name, namespace="", kind="function", arguments=arguments)
    if call.kind != "function" or name != call.name or call.namespace:
        return msgspec.structs.replace(call, name=name, namespace="", kind="function")
    return call


def free_text(arguments: str) -> str:
    """The text in the arguments of a custom tool's call; what does not fit the schema is the text itself."""
    try:
        return msgspec.json.decode(arguments, type=_FreeText).input
    except ValueError:
        return arguments


def chosen_name(choice: ToolChoice, tools: Iterable[Tool | ProviderTool], dialect: Dialect) -> str:
    """What the tool that must be called is called as a function. Raises Refused for one that only a provider of another
    API runs."""
    offered = tuple(tools)
    refuse_others_tool(choice, offered, dialect)
    own = ForeignTools(offered).find(choice.name)
    return flat_name(choice.name) if own is None else flat_name(own.name, own.namespace)


def refuse_others_tool(choice: ToolChoice, tools: Iterable[Tool | ProviderTool], dialect: Dialect) -> None:
    """Raises Refused when the tool that must be called is one that only a provider of another API runs."""
    for tool in tools:
        if isinstance(tool, ProviderTool) and tool.dialect is not dialect and choice.name in (tool.name, tool.kind):
            problem = f"tool_choice: {tool.kind} cannot be used with this model: only its own provider runs it."
            raise Refused(problem, "tool_choice")


class ForeignTools:
    """The tools a request offered, by the names their functions have."""

    def __init__(self, tools: Iterable[Tool | ProviderTool]) -> None:
        own = [tool for tool in tools if isinstance(tool, Tool)]
        self._by_name = {flat_name(tool.name, tool.namespace): tool for tool in reversed(own)}
        bare: dict[str, Tool | None] = {}
        for tool in own:
            if tool.namespace:
                bare[tool.name] = None if tool.name in bare else tool
        self._by_bare_name = bare

    def find(self, name: str) -> Tool | None:
        """The tool that a call of the function `name` means. A model may leave a namespace out where that is clear."""
        return self._by_name.get(name) or self._by_bare_name.get(name)
