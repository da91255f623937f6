"""The neutral values of an answer, whole or as the events of a stream.

A stream is a series of events in which **one block is open at a time**: a delta opens a block of its kind when none is
open, `BlockEnded` closes it, and the last event is one `Finished` or one `Failed`. Decoders serialise what their
dialect interleaves, and end a block before they begin another.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from gateway.dialects.failures import ErrorKind
from gateway.dialects.turn import Extras, Part, Seal, ToolKind, Unknown, Value


class StopReason(StrEnum):
    """Why the model stopped; `stops.py` has each dialect's word for it."""

    END = "end"
    STOP_SEQUENCE = "stop_sequence"
    MAX_TOKENS = "max_tokens"
    CONTEXT_WINDOW = "context_window"
    TOOL_CALLS = "tool_calls"
    REFUSAL = "refusal"
    PAUSE = "pause"
    COMPACTION = "compaction"


class Stop(Value, frozen=True):
    """`sequence`: the stop sequence met. `details`: JSON text of what the dialect says beside the reason."""

    reason: StopReason
    sequence: str | None = None
    details: str = ""


class Usage(Value, frozen=True):
    """Tokens of one answer. None: not said; 0: said to be none. Input, cache read and cache write add up to the prompt
    in every dialect; `output_tokens` include `reasoning_tokens`. `estimated`: counted here, not by the provider."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    service_tier: str = ""
    estimated: bool = False


NO_USAGE = Usage()


class Answer(Value, frozen=True):
    """A whole answer. `created` is Unix seconds, 0 when the dialect does not say."""

    id: str
    model: str
    content: tuple[Part, ...]
    stop: Stop
    usage: Usage = NO_USAGE
    created: int = 0
    extras: Extras = ()


# Streams


class Event(msgspec.Struct, frozen=True, gc=False):
    """One step of a streamed answer."""


class Started(Event, frozen=True, gc=False):
    """The first event. `usage`: what is known of the prompt already."""

    id: str
    model: str
    usage: Usage = NO_USAGE
    created: int = 0


class TextDelta(Event, frozen=True, gc=False):
    text: str


class ThinkingDelta(Event, frozen=True, gc=False):
    text: str


class Sealed(Event, frozen=True, gc=False):
    """The seal of the open thought; opens one when none is open. A seal may stand alone: `redacted`."""

    seal: Seal
    redacted: bool = False


class RefusalDelta(Event, frozen=True, gc=False):
    text: str


class ToolCallStarted(Event, frozen=True, gc=False):
    """Id and name are whole; the arguments follow as `ToolCallDelta`."""

    id: str
    name: str
    kind: ToolKind = "function"
    namespace: str = ""


class ToolCallDelta(Event, frozen=True, gc=False):
    """A piece of the open call's arguments, cut anywhere."""

    arguments: str


class CitationAdded(Event, frozen=True, gc=False):
    """A source of the open text."""

    citation: Unknown


class WholeBlock(Event, frozen=True, gc=False):
    """A block that did not stream or is not known, with its end."""

    block: Part


class BlockEnded(Event, frozen=True, gc=False):
    """The open block is whole."""


class Finished(Event, frozen=True, gc=False):
    """The last event of an answer that came to its end; usage that trails the end is in it."""

    stop: Stop
    usage: Usage = NO_USAGE
    extras: Extras = ()


class Failed(Event, frozen=True, gc=False):
    """The last event of an answer that broke off: the provider said so, or its stream was no whole answer.
    `status` is the HTTP status the fault would have had; None when nothing is known of it."""

    kind: ErrorKind
    message: str
    status: int | None = None


StreamEvent = (
    Started
    | TextDelta
    | ThinkingDelta
    | Sealed
    | RefusalDelta
    | ToolCallStarted
    | ToolCallDelta
    | CitationAdded
    | WholeBlock
    | BlockEnded
    | Finished
    | Failed
)
