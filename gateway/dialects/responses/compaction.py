"""Compaction for providers that have none: the model is asked to sum the conversation up, and its summary stands for it
from then on, inside an item that is opaque to the client."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from gateway.dialects.turn import Message, Request, Role, Text, ToolChoice

TRIGGER: Final = "compaction_trigger"
PATH: Final = "/v1/responses/compact"
_INSTRUCTION: Final = (
    "Sum this conversation up for the assistant that continues it and sees nothing else of it. Say, as plain text: "
    "what the user wants, with every constraint and preference stated; what has been done and found out, with the "
    "exact names of files, commands, identifiers and values that matter; what failed and why; what is left to do, and "
    "the next step. Leave out what no longer matters. Call no tools, and answer with the summary alone."
)


def ask_for_summary(request: Request, form: Literal["item", "window"]) -> Request:
    """The request with its conversation followed by the wish to have it summed up. The tools stay, because the history
    speaks of them, but none may be called."""
    return msgspec.structs.replace(
        request,
        messages=(*request.messages, Message(Role.USER, (Text(_INSTRUCTION),))),
        tool_choice=ToolChoice("none") if request.tools else None,
        output_format=None,
        compact=form,
    )


def as_window(request: Request) -> Request:
    """What `/v1/responses/compact` asks for: the conversation summed up, never as a stream."""
    return msgspec.structs.replace(ask_for_summary(request, "window"), stream=False)
