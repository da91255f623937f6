"""A choice among some of the tools, for a provider that has no word for it: it is offered those alone."""

from __future__ import annotations

import msgspec

from gateway.dialects.turn import Refused, Request, ToolChoice


def keep_to_allowed(request: Request) -> Request:
    """The request with no other tools than it allows to be called. Raises Refused when that leaves none."""
    choice = request.tool_choice
    if choice is None or choice.mode != "allowed":
        return request
    tools = tuple(tool for tool in request.tools if tool.name in choice.names)
    if not tools:
        raise Refused("tool_choice: none of the tools it allows is among the tools.", "tool_choice")
    mode = ToolChoice("required" if choice.name == "required" else "auto")
    return msgspec.structs.replace(request, tools=tools, tool_choice=mode)
