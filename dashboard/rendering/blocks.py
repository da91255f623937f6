"""Blocks of a conversation as a template shows them: each kind with a look of its own, all of them safe to show."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from django.utils.safestring import SafeString

from dashboard.rendering import markup
from dashboard.rendering.pieces import Look
from dashboard.rendering.tools import look_of
from gateway.history.transcript import parse
from gateway.history.transcript.blocks import Block, Media, Tool, Turn, as_mapping, as_text, pretty
from gateway.history.transcript.injected import segments

FORMATTED_ON_ONE_PAGE: Final = 150_000
"""Characters that are read as markdown or coloured; what comes after is shown as it is written."""
FOLDED_FROM: Final = 8_000
"""Characters from which on even what was said is folded."""
ROLES: Final = frozenset({"user", "assistant", "system", "developer", "tool", "error"})
PICTURES: Final = {"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
"""What is shown as a picture. SVG is a program."""
NUMBERED: Final = re.compile(r"^\s*(\d+)(?:→|\t)(.*)$")
NAME: Final = re.compile(r"[\w.:-]{1,200}")
READERS: Final = frozenset({"Read", "NotebookRead", "read_file"})
WRITERS_OF_PROSE: Final = frozenset({"Task", "Agent", "WebFetch", "WebSearch", "web_fetch"})

MediaAddress = Callable[[Media], str]
TurnAddress = Callable[[int], str]


class Share(NamedTuple):
    """Of a prompt: about `tokens` of `whole`."""

    tokens: int
    whole: int

    @property
    def percent(self) -> int:
        return round(100 * self.tokens / self.whole)


@dataclass(frozen=True, slots=True)
class Shown:
    """`kind` chooses the template's branch: prose, code, numbered, call, result, injected, thinking, media, link, again
    or empty. `tone` is `bad` for what failed. `of` is the tool a result is of. `again` is the turn that said the same
    first, `address` then leads to it."""

    kind: str
    label: str = ""
    note: str = ""
    tone: str = ""
    html: SafeString | str = ""
    gutter: str = ""
    look: Look | None = None
    of: str = ""
    anchor: str = ""
    address: str = ""
    folded: bool = False
    length: int = 0
    cut: int = 0
    preview: str = ""
    children: Sequence[Shown] = field(default=())
    again: int = 0
    share: Share | None = None


@dataclass(frozen=True, slots=True)
class ShownTurn:
    """`css` is the role where it is a known one."""

    role: str
    css: str
    number: int
    note: str
    blocks: Sequence[Shown]
    spoken: bool = True
    """Whether somebody says something, rather than tools and reminders only."""
    share: Share | None = None


class Renderer:
    """Renders the blocks of one page. `calls` are the tools called, by the id that ties a call and its result."""

    def __init__(
        self,
        media_address: MediaAddress | None = None,
        turn_address: TurnAddress = lambda number: f"#turn-{number}",
        prompt_tokens: int | None = None,
    ) -> None:
        self.media_address = media_address
        self._turn_address = turn_address
        self._prompt_tokens = prompt_tokens
        self._calls: dict[str, tuple[str, str]] = {}
        self._left = FORMATTED_ON_ONE_PAGE

    def turns(self, turns: Iterable[Turn]) -> list[ShownTurn]:
        """In their order, with the newest formatted first, as long as the page's allowance lasts."""
        found = list(turns)
        self.note_calls(found)
        return [self.turn(turn) for turn in reversed(found)][::-1]

    def turn(self, turn: Turn) -> ShownTurn:
        css = turn.role if turn.role in ROLES else "other"
        blocks = self.blocks(turn.blocks, shares=len(turn.blocks) > 1)
        kinds = {block.children[0].kind if block.kind == "again" else block.kind for block in blocks}
        if css == "user" and kinds and kinds <= {"result", "injected"}:
            css = "tool" if "result" in kinds else "injected"
        spoken = css in ("user", "assistant")
        return ShownTurn(turn.role, css, turn.number, turn.note, blocks, spoken, self.share(turn.tokens))

    def share(self, tokens: int | None) -> Share | None:
        """None where it is unknown, or less than a hundredth."""
        whole = self._prompt_tokens
        return Share(tokens, whole) if tokens is not None and whole and 100 * tokens >= whole else None

    def note_calls(self, turns: Iterable[Turn]) -> None:
        """Calls whose results may come later."""
        for turn in turns:
            for block in turn.blocks:
                self.note_call(block)

    def note_call(self, block: Block) -> None:
        if block.kind == "tool_use" and block.call:
            given = as_mapping(block.value) or as_mapping(parse(block.text.encode("utf-8", "surrogatepass")))
            self._calls[block.call] = (block.label, as_text(given.get("file_path") or given.get("path")))

    def blocks(self, blocks: Iterable[Block], *, shares: bool = False) -> list[Shown]:
        """What one block is shown as says its share once, where it begins."""
        found: list[Shown] = []
        for block in blocks:
            shown = list(self.block(block))
            if block.again and shown:
                shown = [self.again(block, shown)]
            if shares and shown and (share := self.share(block.tokens)):
                shown[0] = replace(shown[0], share=share)
            found += shown
        return found

    def again(self, block: Block, shown: Sequence[Shown]) -> Shown:
        """One line for what was said before, with all of it below."""
        first = shown[0]
        length = sum(len(child.text) for child in block.children) if block.children else block.length
        return Shown(
            "again", first.label or "text", of=first.of, length=length, preview=first.preview or preview(block.text),
            children=[replace(first, folded=False), *shown[1:]], again=block.again,
            address=self._turn_address(block.again),
        )  # fmt: skip

    def block(self, block: Block) -> Iterator[Shown]:
        """One, or several where a client put something into a text."""
        if block.kind in ("text", "reminder"):
            yield from self.text(block)
        elif block.kind == "tool_use":
            yield self.call(block)
        elif block.kind in ("tool_result", "tool_error"):
            yield self.result(block)
        elif block.kind == "media":
            yield self.media(block)
        elif block.kind == "link":
            yield link(block)
        elif block.kind == "thinking":
            yield self.thinking(block)
        elif block.kind == "refusal":
            yield Shown("prose", "refusal", block.note, "bad", self.prose(block.text), cut=block.left_out)
        elif block.kind == "more":
            yield Shown("empty", block.label)
        else:
            yield self.unknown(block)

    def text(self, block: Block) -> Iterator[Shown]:
        """What was said as markdown; of what a client put in, only that it is there, until it is opened."""
        parts = list(segments(block.text))
        children = self.blocks(block.children)
        for number, (tag, text) in enumerate(parts):
            last = number == len(parts) - 1
            if tag:
                yield Shown(
                    "injected", tag.replace("-", " ").replace("_", " "), html=markup.plain(text), length=len(text),
                    folded=True, preview=preview(text), cut=block.left_out if last else 0,
                )  # fmt: skip
            else:
                folded = len(text) > FOLDED_FROM
                yield Shown(
                    "prose", block.label if block.kind == "text" else "", block.note if last else "",
                    html=self.prose(text), length=len(text), folded=folded, preview=preview(text) if folded else "",
                    cut=block.left_out if last else 0, children=children if last else (),
                )  # fmt: skip
        if not parts:
            yield Shown("empty", block.label or "empty text", block.note, cut=block.left_out, children=children)

    def thinking(self, block: Block) -> Shown:
        if not block.text:
            return Shown("empty", block.label, block.note or "not shown by the provider", cut=block.left_out)
        return Shown(
            "thinking", block.label, block.note, html=self.prose(block.text), length=block.length,
            folded=block.folded, preview=preview(block.text), cut=block.left_out,
        )  # fmt: skip

    def call(self, block: Block) -> Shown:
        value = block.value if block.value is not None else block.text
        look = look_of(block.label, value) if self.take(block.text) else Look("tool", block.label)
        return Shown(
            "call", block.label, block.note, look=look, anchor=anchor(block.call),
            length=block.length, children=self.blocks(block.children),
        )  # fmt: skip

    def result(self, block: Block) -> Shown:
        name, path = self._calls.get(block.call, ("", ""))
        tone = "bad" if block.kind == "tool_error" else ""
        inner = self.result_text(name, path, block.text) if block.text else None
        return Shown(
            "result", block.label, block.note, tone, of=name, anchor=anchor(block.call) if name else "",
            folded=block.folded, length=block.length, cut=block.left_out,
            preview=preview(markup.without_escapes(block.text)),
            children=[*([inner] if inner else []), *self.result_children(name, path, block.children)],
        )  # fmt: skip

    def result_children(self, name: str, path: str, blocks: Iterable[Block]) -> Iterator[Shown]:
        for block in blocks:
            if block.kind == "text" and not block.children:
                shown = self.result_text(name, path, block.text)
                yield (
                    shown
                    if not block.left_out
                    else Shown(
                        shown.kind, html=shown.html, gutter=shown.gutter, cut=block.left_out, length=block.length
                    )
                )
            else:
                yield from self.block(block)

    def result_text(self, name: str, path: str, text: str) -> Shown:
        if name in READERS and (lines := numbered(text)):
            numbers, content = lines
            return Shown("numbered", html=self.code(content, markup.language_of(path)), gutter=numbers)
        if name in WRITERS_OF_PROSE:
            return Shown("prose", html=self.prose(text))
        if text.lstrip().startswith(("{", "[")) and (value := parse(text.encode("utf-8", "surrogatepass"))) is not None:
            return Shown("code", html=self.code(pretty(value), "json"))
        return Shown("code", html=markup.code(markup.without_escapes(text)))

    def media(self, block: Block) -> Shown:
        found = block.media
        shown = found is not None and self.media_address is not None and found.media_type in PICTURES
        address = self.media_address(found) if shown and found and self.media_address else ""
        return Shown("media", block.label, block.note, address=address)

    def unknown(self, block: Block) -> Shown:
        if not block.text:
            return Shown("empty", block.label, block.note, cut=block.left_out)
        return Shown(
            "code", block.label, block.note, html=self.code(block.text, "json"), length=block.length,
            folded=block.folded, preview=preview(block.text), cut=block.left_out,
        )  # fmt: skip

    def prose(self, text: str) -> SafeString:
        return markup.markdown(text) if self.take(text) else markup.plain(text)

    def code(self, text: str, language: str) -> SafeString:
        return markup.code(text, language if self.take(text) else "")

    def take(self, text: str) -> bool:
        """Whether this may still be formatted."""
        self._left -= len(text)
        return self._left >= 0


def numbered(text: str) -> tuple[str, str] | None:
    """The numbers and the lines of a file as `cat -n` prints it; None when it is not printed so."""
    rows = [NUMBERED.match(row) for row in text.splitlines()]
    if not rows or rows[0] is None:
        return None
    numbers = "\n".join(row[1] if row else "" for row in rows)
    lines = text.splitlines()
    return numbers, "\n".join(row[2] if row else lines[at] for at, row in enumerate(rows))


def link(block: Block) -> Shown:
    """A page that was found; only addresses of the web can be followed."""
    followed = block.text if block.text.startswith(("https://", "http://")) else ""
    return Shown("link", block.label, block.note or ("" if followed else block.text), address=followed)


def anchor(call: str) -> str:
    """The id of a call's element; nothing for a call without a proper name."""
    return f"call-{call}" if NAME.fullmatch(call) else ""


def preview(text: str) -> str:
    head = " ".join(text[:300].split())
    return head if len(head) <= 120 else head[:120] + "…"


@dataclass(frozen=True, slots=True)
class ShownTool:
    """A tool that was offered."""

    name: str
    kind: str
    description: SafeString
    schema: SafeString
    share: Share | None = None


def tools_shown(tools: Iterable[Tool], renderer: Renderer) -> list[ShownTool]:
    return [
        ShownTool(
            tool.name,
            tool.kind if tool.kind not in (tool.name, "function", "custom") else "",
            renderer.prose(tool.description) if tool.description else SafeString(""),
            renderer.code(tool.schema, "json"),
            renderer.share(tool.tokens),
        )
        for tool in tools
    ]
