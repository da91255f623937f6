"""Tools and the choice between them, read and written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from gateway.dialects.foreign_tools import flat_name, refuse_others_tool
from gateway.dialects.names import Dialect
from gateway.dialects.profile import Profile
from gateway.dialects.raw_object import RawObject
from gateway.dialects.tool_schemas import object_schema
from gateway.dialects.turn import Loss, ProviderTool, Refused, Tool, ToolChoice, ToolKind

_KNOWN_IN_TOOL: Final = frozenset({"type", "name", "description", "parameters", "strict", "format", "function"})
_OWN_CALLS: Final[dict[str, ToolKind]] = {"local_shell": "shell", "shell": "shell", "apply_patch": "patch"}
_MODES: Final = {"auto": "auto", "none": "none", "required": "required"}
ADDITIONAL: Final = "additional_tools"


def decode_tools(body: RawObject, items: Iterable[RawObject]) -> tuple[Tool | ProviderTool, ...]:
    """Those of the body, and those newer clients put into an input item. Raises Refused."""
    found = [tool for entry in body.children("tools") for tool in _decode_tool(entry)]
    for item in items:
        if item.text("type") == ADDITIONAL:
            found += [tool for entry in item.children("tools") for tool in _decode_tool(entry)]
    return tuple(found)


def _decode_tool(entry: RawObject, namespace: str = "") -> list[Tool | ProviderTool]:
    kind = entry.text("type")
    if kind == "namespace":
        name = entry.text("name")
        return [tool for inner in entry.children("tools") for tool in _decode_tool(inner, name)]
    if kind in ("function", "custom"):
        # Chat Completions nests what is flat here; some clients send it so.
        source = entry.child("function") or entry.child("custom") or entry
        return [_own_tool(source, "function" if kind == "function" else "custom", namespace)]
    if kind in _OWN_CALLS:
        return [Tool(kind, kind=_OWN_CALLS[kind])]
    if not kind:
        raise Refused(f"{entry.path} needs a type.", entry.path)
    return [ProviderTool(Dialect.RESPONSES, kind, entry.json_text(), entry.text("name") or kind)]


def _own_tool(entry: RawObject, kind: ToolKind, namespace: str) -> Tool:
    name = entry.text("name")
    if not name:
        raise Refused(f"{entry.path} needs a name.", entry.at("name"))
    return Tool(
        name,
        entry.text("description") if entry.has("description") else None,
        entry.json("parameters" if kind == "function" else "format"),
        kind=kind,
        namespace=namespace,
        strict=entry.flag("strict"),
        extras=entry.extras(_KNOWN_IN_TOOL),
    )


def decode_choice(body: RawObject) -> ToolChoice | None:
    """Raises Refused."""
    if body.kind_of("tool_choice") == '"':
        mode = body.text("tool_choice")
        if mode not in _MODES:
            raise Refused(f"tool_choice must be one of {', '.join(_MODES)}, or an object.", "tool_choice")
        return ToolChoice(mode)  # type: ignore[arg-type]
    choice = body.child("tool_choice")
    if choice is None:
        return None
    kind = choice.text("type")
    if kind == "allowed_tools":
        names = tuple(tool.text("name") for tool in choice.children("tools"))
        return ToolChoice("allowed", choice.text("mode"), tuple(filter(None, names)))
    source = choice.child("function") or choice.child("custom") or choice
    name = source.text("name") or kind
    if not name:
        raise Refused("tool_choice needs a type.", "tool_choice")
    own: ToolKind = "custom" if kind == "custom" else _OWN_CALLS.get(kind, "function")
    return ToolChoice("tool", name, kind=own)


def encode_tools(tools: Iterable[Tool | ProviderTool], profile: Profile, losses: list[Loss]) -> list[Any]:
    """The tools as this API takes them; those of a namespace stand together in one."""
    found: list[Any] = []
    spaces: dict[str, list[Any]] = {}
    for number, tool in enumerate(tools):
        encoded = _encode_tool(tool, profile, f"tools.{number}", losses)
        if encoded is None:
            continue
        namespace = tool.namespace if isinstance(tool, Tool) else ""
        if not namespace:
            found.append(encoded)
            continue
        if namespace not in spaces:
            spaces[namespace] = []
            found.append({"type": "namespace", "name": namespace, "tools": spaces[namespace]})
        spaces[namespace].append(encoded)
    return found


def _encode_tool(tool: Tool | ProviderTool, profile: Profile, field: str, losses: list[Loss]) -> Any:
    if isinstance(tool, ProviderTool):
        if tool.dialect is Dialect.RESPONSES:
            return msgspec.Raw(tool.raw.encode())
        losses.append(Loss(field, f"the tool {tool.kind} is run by its own provider alone; it was not offered"))
        return None
    if tool.kind in ("shell", "patch"):
        return {"type": tool.name}
    if tool.kind == "custom":
        encoded: dict[str, Any] = {"type": "custom", "name": tool.name, "description": tool.description or ""}
        return encoded | ({"format": msgspec.Raw(tool.schema.encode())} if tool.schema else {})
    schema = msgspec.Raw(tool.schema.encode()) if tool.schema else None
    # Left out, `strict` counts as true here, and few schemas of other dialects are strict.
    strict = bool(tool.strict) and profile.strict_tools
    if tool.strict and not strict:
        losses.append(Loss(f"{field}.strict", "this provider does not take strict tools"))
    encoded = {"type": "function", "name": tool.name, "parameters": schema, "strict": strict}
    return encoded | ({"description": tool.description} if tool.description is not None else {})


def fit_tool(tool: Tool | ProviderTool) -> Tool | ProviderTool:
    """The tool under a name and with a schema that OpenAI takes."""
    if isinstance(tool, ProviderTool) or tool.kind in ("shell", "patch"):
        return tool
    schema = object_schema(tool.schema) if tool.kind == "function" else tool.schema
    return msgspec.structs.replace(tool, name=flat_name(tool.name), schema=schema)


def fit_choice(choice: ToolChoice, tools: Iterable[Tool | ProviderTool]) -> ToolChoice:
    """The choice by the names of `fit_tool`. Raises Refused for a tool only a provider of another API runs."""
    if choice.mode != "tool":
        return msgspec.structs.replace(choice, names=tuple(map(flat_name, choice.names)))
    refuse_others_tool(choice, tools, Dialect.RESPONSES)
    return msgspec.structs.replace(choice, name=flat_name(choice.name))


def encode_choice(choice: ToolChoice) -> Any:
    if choice.mode == "tool":
        kind = choice.name if choice.kind in ("shell", "patch") else choice.kind
        return {"type": kind} if kind == choice.name else {"type": kind, "name": choice.name}
    if choice.mode == "allowed":
        tools = [{"type": "function", "name": name} for name in choice.names]
        return {"type": "allowed_tools", "mode": choice.name or "auto", "tools": tools}
    return choice.mode
