"""What a conversation looks like on a page: turns of blocks, plain values that a template can show.

The three readers beside this file turn a parsed body into these. Nothing here is markup: every text is shown through
the template's own escaping. Bodies are hostile and may be large, so `bounded` cuts what a page would show of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from gateway.dialects.json_values import write_json

SHOWN_OF_ONE_TEXT = 20_000
SHOWN_ON_ONE_PAGE = 600_000
BLOCKS_OF_ONE_TURN = 200
NESTING = 5
FOLDED_FROM = 1_500
PREVIEW = 140


@dataclass(frozen=True, slots=True)
class Media:
    """An image or a file that came with the request. `digest` finds its bytes again (see `media.py`); `size` is in
    bytes."""

    media_type: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a turn. `kind` chooses its look; `length` is that of the whole text, in characters.

    `call` ties a tool's call and its result; `value` is what a tool was called with, as it was parsed, not bounded by
    anything. `tokens` of the prompt are an estimate (`shares.py`). `again` is the number of the turn in which the same
    was said first, 0 where this is the first (`repeats.py`).
    """

    kind: str
    label: str
    text: str = ""
    length: int = 0
    folded: bool = False
    note: str = ""
    children: tuple[Block, ...] = ()
    call: str = ""
    value: Any = field(default=None, compare=False)
    media: Media | None = None
    tokens: int | None = None
    again: int = 0

    @property
    def left_out(self) -> int:
        return self.length - len(self.text)

    @property
    def preview(self) -> str:
        head = " ".join(self.text[: PREVIEW * 2].split())
        return head if len(head) <= PREVIEW else head[:PREVIEW] + "…"


@dataclass(frozen=True, slots=True)
class Turn:
    """One message, or one item of a Responses input. `number` counts from 1 in the order of the request."""

    role: str
    number: int
    blocks: tuple[Block, ...]
    note: str = ""
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    kind: str
    description: str
    schema: str
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """A request's conversation. `turns` may be a window: `total` says how many there are. `tokens` are the prompt's, by
    the provider's count; those of the system prompt and of the tools are estimates."""

    system: tuple[Block, ...] = ()
    tools: tuple[Tool, ...] = ()
    turns: tuple[Turn, ...] = ()
    total: int = 0
    settings: tuple[tuple[str, str], ...] = ()
    answer: tuple[Turn, ...] = field(default=())
    tokens: int | None = None
    system_tokens: int | None = None
    tools_tokens: int | None = None

    @property
    def first(self) -> int:
        return self.turns[0].number if self.turns else 0

    @property
    def last(self) -> int:
        return self.turns[-1].number if self.turns else 0


def text_block(
    kind: str,
    label: str,
    text: object,
    *,
    folded: bool | None = None,
    note: str = "",
    call: str = "",
    value: object = None,
) -> Block:
    """A block of text; long ones are folded unless told otherwise. What is not a string is shown as JSON."""
    shown = text if isinstance(text, str) else "" if text is None else pretty(text)
    fold = len(shown) > FOLDED_FROM if folded is None else folded
    return Block(kind, label, shown, len(shown), fold, note, call=call, value=value)


def unknown_block(value: object) -> Block:
    """Whatever has no look of its own, as JSON, named by its type."""
    kind = value.get("type") if isinstance(value, Mapping) else None
    return text_block("unknown", kind if isinstance(kind, str) and kind else "unknown block", pretty(value))


def media_block(label: str, media_type: object, encoded: object, note: str = "") -> Block:
    """An image or a file: its type, its size and how to find it, never its bytes."""
    parts = [str(media_type)] if media_type else []
    media = None
    if isinstance(encoded, str) and encoded:
        data = encoded.partition(",")[2] if encoded.startswith("data:") else encoded
        media = Media(str(media_type or ""), media_digest(data), len(data) * 3 // 4)
        parts.append(f"{media.size:,} bytes")
    if note:
        parts.append(note)
    return Block("media", label, note=" · ".join(parts), media=media)


def media_digest(encoded: str) -> str:
    """What an address of an image is made of: 32 hex digits of the SHA-256 of its base64."""
    return hashlib.sha256(encoded.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def image_block(address: str) -> Block:
    """A data URL shows its type and size; any other address is text, never a link or a picture."""
    if address.startswith("data:"):
        head, _, data = address[5:].partition(",")
        return media_block("image", head.partition(";")[0], data)
    return media_block("image", None, None, address[:200])


def content_blocks(content: object, read_part: Callable[[object], Block]) -> list[Block]:
    """OpenAI's content: nothing, a string, or a list of parts."""
    if content is None or content == "":
        return []
    if isinstance(content, list):
        return [read_part(part) for part in content]
    return [plain_text_block(content)]


def plain_text_block(text: object) -> Block:
    """Text of a message; what a client injects between `<system-reminder>` tags is folded away."""
    if isinstance(text, str) and text.lstrip().startswith("<system-reminder>"):
        return text_block("reminder", "system reminder", text, folded=True)
    return text_block("text", "", text)


def pretty(value: object) -> str:
    """Indented JSON; what cannot be written so (too deep) is named instead of failing the page."""
    try:
        return msgspec.json.format(write_json(value), indent=2).decode("utf-8", "replace")
    except (RecursionError, msgspec.MsgspecError):
        return "(nested too deeply to be shown)"


def as_list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def as_mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def as_text(value: object) -> str:
    """The value when it is a string; JSON when it is anything else but None."""
    return value if isinstance(value, str) else "" if value is None else pretty(value)


def setting_pairs(body: Mapping[str, Any], shown_elsewhere: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The request's scalar and small settings, in their order, less what the page shows in another place."""
    hidden = set(shown_elsewhere)
    return tuple((str(key), as_text(value)[:2_000]) for key, value in body.items() if key not in hidden)


class Allowance:
    """How many characters a page may still show."""

    def __init__(self, characters: int) -> None:
        self.left = characters

    def take(self, text: str) -> str:
        shown = text[: min(SHOWN_OF_ONE_TEXT, self.left)]
        self.left -= len(shown)
        return shown


def bounded(transcript: Transcript, characters: int = SHOWN_ON_ONE_PAGE) -> Transcript:
    """The transcript with every text cut to what one page shows. The answer and the newest turns come first."""
    allowance = Allowance(characters)
    answer = tuple(bounded_turn(turn, allowance) for turn in transcript.answer)
    turns = tuple(reversed([bounded_turn(turn, allowance) for turn in reversed(transcript.turns)]))
    system = bounded_blocks(transcript.system, allowance)
    tools = tuple(bounded_tool(tool, allowance) for tool in transcript.tools[:BLOCKS_OF_ONE_TURN])
    return replace(transcript, answer=answer, turns=turns, system=system, tools=tools)


def bounded_turn(turn: Turn, allowance: Allowance) -> Turn:
    return replace(turn, blocks=bounded_blocks(turn.blocks, allowance))


def bounded_blocks(blocks: tuple[Block, ...], allowance: Allowance) -> tuple[Block, ...]:
    shown = [
        replace(block, text=allowance.take(block.text), children=bounded_blocks(block.children, allowance))
        for block in blocks[:BLOCKS_OF_ONE_TURN]
    ]
    if len(blocks) > BLOCKS_OF_ONE_TURN:
        shown.append(Block("more", f"{len(blocks) - BLOCKS_OF_ONE_TURN:,} more blocks are in the raw bytes"))
    return tuple(shown)


def bounded_tool(tool: Tool, allowance: Allowance) -> Tool:
    return replace(tool, description=allowance.take(tool.description), schema=allowance.take(tool.schema))
