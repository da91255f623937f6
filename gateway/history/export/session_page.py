"""One session as a page of its own: no script, nothing loaded from anywhere, no secrets in it.

Each turn shows what was new in it and what was answered; texts are redacted (`gateway/policy/text_redaction.py`) and
escaped. Tools, system prompts and settings stay at home.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final

from django.template.loader import get_template

from gateway.dialects.names import Dialect
from gateway.history.conversation.calls import Call
from gateway.history.conversation.loading import Loaded
from gateway.history.conversation.tree import Agent, agents_of, walk
from gateway.history.conversation.turns import Turn as SessionTurn
from gateway.history.conversation.turns import new_messages
from gateway.history.transcript import READERS
from gateway.history.transcript.blocks import Block, Turn
from gateway.policy.text_redaction import TextRedactor

ROLES: Final = frozenset({"user", "assistant", "system", "developer", "tool"})


def session_page(loaded: Loaded, redactor: TextRedactor) -> Iterator[bytes]:
    """The page in pieces, turn by turn."""
    names = len([name for name in redactor.names if name])
    style = str(get_template("export/session.css").render())
    yield render("head", title=title(loaded), subtitle=subtitle(loaded), names=names, style=style)
    for _, agent in walk(agents_of(loaded)):
        for turn in agent.turns:
            yield render("turn", turn=turn_object(turn, agent, loaded, redactor))
    yield render("foot", replaced=redactor.replaced)


def render(name: str, **context: Any) -> bytes:
    return str(template(name).render(context)).encode()


@cache
def template(name: str) -> Any:
    return get_template(f"export/session_{name}.html")


def title(loaded: Loaded) -> str:
    return f"Session {loaded.session_id}" if loaded.session_id else "A session without an id"


def subtitle(loaded: Loaded) -> str:
    calls = [attempt.call for turn in loaded.turns for attempt in turn.attempts]
    first, last = calls[0], calls[-1]
    client = f"{first.client} {first.client_version}".strip() or "an unknown client"
    until = f"{last.started_at:%H:%M}" if last.started_at.date() == first.started_at.date() else last.started_at
    output = sum(call.output_tokens or 0 for call in calls)
    return (
        f"{client} · {first.started_at:%Y-%m-%d %H:%M} to {until} UTC · {len(loaded.turns)} turns, "
        f"{len(calls)} requests, {output:,} tokens written"
    )


def turn_object(turn: SessionTurn, agent: Agent, loaded: Loaded, redactor: TextRedactor) -> dict[str, Any]:
    call = turn.answer
    who = f"Agent {agent.id}, turn" if agent.id else "Turn"
    came = f" (from turn {turn.parent.number})" if turn.parent and turn.parent.number != turn.number - 1 else ""
    said = messages_of(call, [loaded.reader.read(part) for part in new_messages(turn)])
    answered = messages_of(call, as_list(loaded.reader.value(call.reply))) if call.reply else []
    return {
        "anchor": call.id,
        "heading": f"{who} {turn.number}{came}",
        "marks": turn.marks,
        "facts": redactor.text(facts(call)),
        "messages": [message_object(message, redactor) for message in (*said, *answered)],
        "attempts": [redactor.text(attempt_text(attempt.call, attempt.why)) for attempt in turn.attempts[:-1]],
    }


def messages_of(call: Call, values: Sequence[Any]) -> Sequence[Turn]:
    readers = READERS.get(call.dialect)
    if readers is None:
        return ()
    name = "input" if call.dialect == Dialect.RESPONSES else "messages"
    return readers[0]({name: list(values)}, slice(None)).turns


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def facts(call: Call) -> str:
    tokens = {
        "read from the cache": call.cache_read_tokens,
        "written to it": call.cache_write_tokens,
        "other input": call.input_tokens,
        "written": call.output_tokens,
    }
    counted = ", ".join(f"{count:,} {name}" for name, count in tokens.items() if count is not None)
    lasted = "" if call.duration_ms is None else f"{call.duration_ms / 1000:.1f} s"
    ended = call.stop_reason or call.error_message or call.stream_error or call.outcome
    shown = (f"{call.started_at:%H:%M:%S}", call.model or call.requested_model or "", ended, lasted, counted)
    return " · ".join(part for part in shown if part)


def attempt_text(call: Call, why: str) -> str:
    return f"Before that, a try ({why}) ended with {call.status_code or call.outcome}: {facts(call)}"


def message_object(message: Turn, redactor: TextRedactor) -> Mapping[str, Any]:
    return {
        "role": message.role,
        "css": message.role if message.role in ROLES else "other",
        "note": redactor.text(message.note),
        "blocks": [redacted(block, redactor) for block in message.blocks],
    }


def redacted(block: Block, redactor: TextRedactor) -> Block:
    return replace(
        block,
        label=redactor.text(block.label),
        text=redactor.text(block.text),
        note=redactor.text(block.note),
        children=tuple(redacted(child, redactor) for child in block.children),
    )
