"""What fills the context of a conversation: its largest residents, files read again and again, tools nobody calls.

Tokens of a part are an estimate, see `gateway/history/weights.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple, Protocol

from gateway.dialects.json_values import object_or_none, objects_of, write_json
from gateway.dialects.request_parts import PartKind
from gateway.dialects.tool_calls import ToolCall
from gateway.history.conversation.cache import PriceOf, write_price
from gateway.history.conversation.calls import Call, Part
from gateway.history.conversation.loading import Loaded
from gateway.history.conversation.names import part_name, tool_name
from gateway.history.conversation.prompts import PromptReader
from gateway.history.conversation.tool_use import Use, calls_of, uses_of
from gateway.history.weights import scaled, weight

CALL_IDS: Final = ("tool_use_id", "tool_call_id", "call_id", "id")


class Piece(NamedTuple):
    """A part of a prompt, or a block of a message. `weight` is its bytes as they count for the estimate."""

    name: str
    part: Part
    size: int
    weight: int


@dataclass(frozen=True, slots=True)
class Resident:
    """`tokens` is an estimate; `calls` are those of the model whose prompt held it, `carried` its tokens in all."""

    name: str
    kind: PartKind
    size: int
    tokens: int | None
    calls: int

    @property
    def carried(self) -> int | None:
        return None if self.tokens is None else self.tokens * self.calls


@dataclass(slots=True)
class FileReads:
    path: str
    reads: int = 0
    result_bytes: int = 0


@dataclass(frozen=True, slots=True)
class IdleTool:
    """Offered to `calls` calls of the model and never called. Tokens and money are estimates; None: not known."""

    name: str
    size: int
    calls: int
    tokens: int | None
    """In one prompt."""
    carried: int | None
    """In all of them."""
    cost: Decimal | None
    """USD."""


@dataclass(slots=True)
class ContextReport:
    """Of the newest prompt of each agent: the last call that was answered with a count. `prompt_tokens` is the
    provider's figure, which the residents' estimates add up to."""

    call: Call
    prompt_tokens: int | None
    residents: list[Resident]


@dataclass(slots=True)
class Waste:
    """Of the whole conversation."""

    contexts: list[ContextReport] = field(default_factory=list)
    files: list[FileReads] = field(default_factory=list)
    idle_tools: list[IdleTool] = field(default_factory=list)


def report(loaded: Loaded, price_of: PriceOf = lambda call: None) -> Waste:
    uses = uses_of(loaded)
    called = {use.call.name for use in uses}
    by_id = {use.call.id: use.call for use in uses}
    return Waste(
        contexts=[context_of(call, loaded, by_id) for call in newest_calls(loaded)],
        files=files_read(uses),
        idle_tools=idle_tools(loaded, called, price_of),
    )


def newest_calls(loaded: Loaded) -> list[Call]:
    """For each agent the newest call whose prompt was counted, else the newest."""
    newest: dict[str | None, Call] = {}
    for call in calls_of(loaded.turns):
        known = newest.get(call.agent_id)
        if call.parts and (known is None or prompt_tokens(call) is not None or prompt_tokens(known) is None):
            newest[call.agent_id] = call
    return list(newest.values())


class Counted(Protocol):
    """What a provider counted: a call, or the row of an answer."""

    @property
    def input_tokens(self) -> int | None: ...
    @property
    def cache_read_tokens(self) -> int | None: ...
    @property
    def cache_write_tokens(self) -> int | None: ...


def prompt_tokens(call: Counted) -> int | None:
    """All tokens of the prompt, by the provider's count."""
    if call.input_tokens is None:
        return None
    return call.input_tokens + (call.cache_read_tokens or 0) + (call.cache_write_tokens or 0)


def context_of(call: Call, loaded: Loaded, by_id: Mapping[str, ToolCall]) -> ContextReport:
    pieces = pieces_of(call, loaded.reader, by_id)
    total = prompt_tokens(call)
    counts = holders(loaded)
    shares = scaled([piece.weight for piece in pieces], total)
    residents = [
        Resident(piece.name, piece.part.kind, piece.size, tokens, counts.get(piece.part.digest, 1))
        for piece, tokens in zip(pieces, shares, strict=True)
    ]
    residents.sort(key=lambda resident: -resident.size if resident.tokens is None else -resident.tokens)
    return ContextReport(call, total, residents)


def holders(loaded: Loaded) -> dict[bytes, int]:
    """How many prompts hold each part."""
    counts: dict[bytes, int] = {}
    for call in calls_of(loaded.turns):
        for digest in {part.digest for part in call.parts}:
            counts[digest] = counts.get(digest, 0) + 1
    return counts


def pieces_of(call: Call, reader: PromptReader, by_id: Mapping[str, ToolCall]) -> list[Piece]:
    """Tools, system blocks, and the blocks of the messages."""
    pieces: list[Piece] = []
    places: dict[PartKind, int] = {}
    for part in call.parts:
        place = places[part.kind] = places.get(part.kind, -1) + 1
        name = part_name(part, place, reader.read)
        blocks = blocks_of(part, reader)
        if not blocks:
            what = item_name(reader.read(part), by_id) if part.kind is PartKind.MESSAGE else ""
            pieces.append(Piece(name + what, part, part.size, part.size))
            continue
        for block in blocks:
            size = len(write_json(block))
            pieces.append(Piece(f"{name}: {block_name(block, by_id)}", part, size, weight(block, size)))
    return pieces


def blocks_of(part: Part, reader: PromptReader) -> list[dict[str, Any]]:
    if part.kind is not PartKind.MESSAGE:
        return []
    message = object_or_none(reader.read(part)) or {}
    return objects_of(message.get("content"))


def item_name(item: Any, by_id: Mapping[str, ToolCall]) -> str:
    """Of a message without blocks, the tool it belongs to, when it does."""
    fields = object_or_none(item) or {}
    name = block_name(fields, by_id)
    return f": {name}" if name.startswith(("call of", "result of")) else ""


def block_name(block: Mapping[str, Any], by_id: Mapping[str, ToolCall]) -> str:
    kind = str(block.get("type", block.get("role", "text"))).replace("_", " ")
    call = next((by_id[id] for key in CALL_IDS if (id := str(block.get(key))) in by_id), None)
    if call is None:
        return kind
    what = " ".join(part for part in (call.name, call.file) if part)
    return f"result of {what}" if kind == "tool" or kind.endswith(("result", "output")) else f"call of {what}"


def files_read(uses: Sequence[Use]) -> list[FileReads]:
    """Files that were read more than once, the most read first."""
    found: dict[str, FileReads] = {}
    for use in uses:
        if use.call.reads and (path := use.call.file) is not None:
            file = found.setdefault(path, FileReads(path))
            file.reads += 1
            file.result_bytes += use.result.size if use.result else 0
    again = [file for file in found.values() if file.reads > 1]
    return sorted(again, key=lambda file: (-file.reads, -file.result_bytes, file.path))


def idle_tools(loaded: Loaded, called: set[str], price_of: PriceOf) -> list[IdleTool]:
    """Tools that were offered and never called, the dearest first."""
    sums: dict[str, list[tuple[int, int | None, Decimal | None]]] = {}
    for call in calls_of(loaded.turns):
        total, whole = prompt_tokens(call), sum(part.size for part in call.parts)
        rate = mean_price(call, price_of)
        for part in call.parts:
            if part.kind is PartKind.TOOL and (name := tool_name(loaded.reader.read(part))) not in called:
                tokens = None if total is None or not whole else round(part.size * total / whole)
                cost = None if tokens is None or rate is None else tokens * rate
                sums.setdefault(name, []).append((part.size, tokens, cost))
    idle = [idle_tool(name, offers) for name, offers in sums.items()]
    return sorted(idle, key=lambda tool: (-(tool.carried or 0), -tool.size, tool.name))


def idle_tool(name: str, offers: Sequence[tuple[int, int | None, Decimal | None]]) -> IdleTool:
    tokens = [tokens for _, tokens, _ in offers if tokens is not None]
    costs = [cost for _, _, cost in offers]
    known = [cost for cost in costs if cost is not None]
    return IdleTool(
        name=name,
        size=offers[-1][0],
        calls=len(offers),
        tokens=tokens[-1] if tokens else None,
        carried=sum(tokens) if tokens else None,
        cost=sum(known, Decimal(0)) if known and len(known) == len(tokens) else None,
    )


def mean_price(call: Call, price_of: PriceOf) -> Decimal | None:
    """What a token of this call's prompt cost on average, cache included."""
    prices, total = price_of(call), prompt_tokens(call)
    if prices is None or not total:
        return None
    kinds = [
        (call.input_tokens or 0, prices.input),
        (call.cache_read_tokens or 0, prices.cache_read),
        (call.cache_write_tokens or 0, write_price(call, prices)),
    ]
    used = [(count, price) for count, price in kinds if count]
    if any(price is None for _, price in used):
        return None
    return sum((count * price for count, price in used if price is not None), Decimal(0)) / total
