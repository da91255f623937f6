"""One request in other words: as a command for a shell, as Markdown, as JSON."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from typing import Any, Final

from dashboard.queries.facts import response_of
from dashboard.queries.request import header_tables, read_request_body
from gateway.history.conversation.loading import Loaded
from gateway.history.conversation.tree import agents_of, walk
from gateway.history.conversation.turns import new_messages
from gateway.history.export.session_page import messages_of
from gateway.history.itemised import cost_lines
from gateway.history.present import answered_in, detail_object, message_of
from gateway.history.queries import line_object
from gateway.history.transcript import read_transcript
from gateway.history.transcript.blocks import SHOWN_ON_ONE_PAGE, Allowance, Block, Turn, bounded_turn
from gateway.models import RequestLog

INLINE: Final = 100_000
"""Bytes of a body that stand in the command itself."""
OF_THE_CONNECTION: Final = frozenset(
    {"host", "content-length", "connection", "accept-encoding", "transfer-encoding", "content-encoding", "keep-alive",
     "te", "upgrade", "expect", "traceparent", "tracestate"}
)  # fmt: skip
SECRETS: Final = {
    "authorization": "Bearer $TURNLOG_KEY",
    "x-api-key": "$TURNLOG_KEY",
    "x-turnlog-key": "$TURNLOG_KEY",
    "api-key": "$TURNLOG_KEY",
}
UNSAFE: Final = frozenset({"cookie", "set-cookie", "proxy-authorization"})


def as_curl(row: RequestLog, base_url: str, raw_address: str) -> str:
    """A command that sends it again through this gateway; secrets are a variable, because they were never kept."""
    query = f"?{row.query}" if row.query else ""
    lines = [f"curl -X {shlex.quote(row.method)} {shlex.quote(f'{base_url}{row.path}{query}')}"]
    for name, value in header_tables(row)[0][1]:
        lower = name.lower()
        if lower in SECRETS:
            lines.append(f'-H "{name}: {SECRETS[lower]}"')
        elif lower not in OF_THE_CONNECTION and lower not in UNSAFE:
            lines.append(f"-H {shlex.quote(f'{name}: {value}')}")
    body = read_request_body(row)
    text = readable(body)
    if text is not None and len(body) <= INLINE:
        lines.append(f"--data-raw {shlex.quote(text)}")
        return " \\\n  ".join(lines) + "\n"
    lines.append(f"--data-binary @turnlog-{row.id}-request.txt")
    return f"# the body: {base_url}{raw_address}\n" + " \\\n  ".join(lines) + "\n"


def readable(body: bytes) -> str | None:
    """As text, when a shell can carry it."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def as_json(row: RequestLog) -> str:
    """What `history show` prints."""
    detail = detail_object(row) | {"cost_lines": [line_object(line) for line in cost_lines(response_of(row))]}
    return json.dumps(detail, indent=2, ensure_ascii=False, default=str) + "\n"


def as_markdown(row: RequestLog) -> str:
    response = response_of(row)
    spoken = answered_in(response) if response else ""
    transcript = read_transcript(row.dialect, read_request_body(row), message_of(response), slice(None), spoken)
    title = row.requested_model or row.model or row.path
    head = f"# {title}\n\n{row.started_at:%Y-%m-%d %H:%M:%S} UTC · request {row.id}\n"
    if transcript is None:
        return head + "\nNothing here reads as a conversation.\n"
    parts = [head]
    if transcript.system:
        parts.append("## System\n\n" + "\n\n".join(block_lines(transcript.system)))
    parts += [turn_text(turn, str(turn.number)) for turn in transcript.turns]
    parts += [turn_text(turn, "answer") for turn in transcript.answer]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def turn_text(turn: Turn, number: str) -> str:
    return f"## {turn.role} ({number})\n\n" + "\n\n".join(block_lines(turn.blocks))


def block_lines(blocks: Iterable[Block]) -> list[str]:
    return [text for block in blocks if (text := block_text(block))]


def block_text(block: Block) -> str:
    inner = [block.text] if block.text else []
    inner += block_lines(block.children)
    if block.kind == "text":
        return "\n\n".join(inner)
    if block.kind in ("media", "more"):
        return f"*{block.label}* {block.note}".strip()
    return f"**{block.kind.replace('_', ' ')}** {block.label}\n\n" + "\n\n".join(fenced(text) for text in inner)


def fenced(text: Any) -> str:
    """A fence longer than any in the text."""
    longest = max((len(run) for run in str(text).replace("\n", " ").split() if set(run) == {"`"}), default=2)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def conversation_markdown(loaded: Loaded) -> str:
    """Turn by turn what was new in it and what was answered."""
    parts = [f"# Session {loaded.session_id or ''}".rstrip()]
    for depth, agent in walk(agents_of(loaded)):
        parts.append(f"{'#' * min(6, depth + 2)} {f'Agent {agent.id}' if agent.id else 'Main agent'}")
        for turn in agent.turns:
            call = turn.answer
            values = [loaded.reader.read(part) for part in new_messages(turn)]
            reply = loaded.reader.value(call.reply) if call.reply else None
            values += reply if isinstance(reply, list) else [] if reply is None else [reply]
            said = bounded_turns(messages_of(call, values))
            parts += [turn_text(message, f"turn {turn.number}") for message in said]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def bounded_turns(turns: Iterable[Turn]) -> list[Turn]:
    allowance = Allowance(SHOWN_ON_ONE_PAGE)
    return [bounded_turn(turn, allowance) for turn in turns]
