"""Everything the page of one request shows, read in a fixed number of queries and bounded in size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from gateway.admin.request_facts import list_facts, neighbours, response_of
from gateway.admin.request_raw import RawPart, decoded, describe_part, read_body
from gateway.admin.timeline import Timeline, draw_timeline
from gateway.history.itemised import cost_lines
from gateway.history.present import TOKEN_KEYS, answered_in, limits_of, message_of, time_spent_of
from gateway.history.timings import unpack
from gateway.history.transcript import TURNS_SHOWN, read_transcript
from gateway.history.transcript.blocks import Transcript, pretty
from gateway.models import RequestLog, ResponseLog

READ_AS_CONVERSATION = 16_000_000
ROLES = ("user", "assistant", "system", "developer", "tool", "error")
ATTEMPT_TIMES = ("at", "connected", "headers")


NOT_YOURS = "Prompts and answers of this team are not for you to read; the figures are."


def read_request_page(request_id: UUID, query: Mapping[str, str], *, reads: bool = True) -> dict[str, Any] | None:
    """The template's context, or None when there is no such request. Without `reads` there is nothing in it that was
    said: no bodies, and no words of the provider."""
    parts = ("response", "header_record", "chunk_timing")
    row = RequestLog.objects.select_related(*parts).filter(id=request_id).first()
    if row is None:
        return None
    response = response_of(row)
    return {
        "title": "Request",
        "original": row,
        "row": row,
        "heading": row.requested_model or row.model or row.path,
        "facts": list_facts(row),
        "neighbours": neighbours(row),
        "attempts": list_attempts(response),
        "reads": reads,
        "headers": header_tables(row),
        "header_rules": header_rules_of(row),
        "timeline": arrival(row, response),
        "usage": pretty(response.usage) if response and response.usage is not None else "",
        "response": response,
        "token_kinds": token_kinds(response),
        "cost_lines": cost_lines(response),
        "spent": time_spent_of(row, response),
        "rate_limits": limits_of(getattr(row, "header_record", None)).items(),
        "roles": ROLES,
        "translation": response.translation if response else None,
        **(said(row, response, query) if reads else {"parts": [], "transcript": None, "no_transcript": NOT_YOURS}),
    }


def said(row: RequestLog, response: ResponseLog | None, query: Mapping[str, str]) -> dict[str, Any]:
    """The bodies, as bytes and as a conversation."""
    encoding = request_encoding(row)
    sent, came = read_body(row.id, "request"), read_body(row.id, "response")
    answer_is = (response.content_type, response.content_encoding) if response else ("", "")
    return {
        "parts": [
            describe_part("request", sent, row.content_type, encoding),
            describe_part("response", came, *answer_is),
            *translated_parts(row, response),
        ],
        **conversation(row, response, decoded(sent.body, encoding) if sent else b"", query),
    }


def token_kinds(response: ResponseLog | None) -> list[tuple[str, int | None]]:
    return [(name.removesuffix("_tokens").replace("_", " "), getattr(response, name, None)) for name in TOKEN_KEYS]


def translated_parts(row: RequestLog, response: ResponseLog | None) -> list[RawPart]:
    """The other two sides of a translated exchange."""
    if response is None or response.translation is None:
        return []
    return [describe_part(name, read_body(row.id, name), "", "") for name in ("asked", "got")]


def conversation(
    row: RequestLog, response: ResponseLog | None, body: bytes, query: Mapping[str, str]
) -> dict[str, Any]:
    """The messages, a window of them when they are many, and the links to the windows beside it."""
    if len(body) > READ_AS_CONVERSATION:
        return {"transcript": None, "no_transcript": "This request is too large to be shown as a conversation."}
    first = first_turn(query)
    window = slice(-TURNS_SHOWN, None) if first is None else slice(first, first + TURNS_SHOWN)
    spoken = answered_in(response) if response else ""
    transcript = read_transcript(row.dialect, body, message_of(response), window, spoken)
    if transcript is None or not (transcript.total or transcript.answer):
        return {"transcript": None, "no_transcript": "Nothing here reads as a conversation."}
    return {"transcript": transcript, **window_links(transcript)}


def request_encoding(row: RequestLog) -> str:
    """The request's Content-Encoding, by the headers as they came."""
    pairs = header_tables(row)[0][1]
    return ", ".join(value for name, value in pairs if name.lower() == "content-encoding")


def first_turn(query: Mapping[str, str]) -> int | None:
    """Where the window begins, counted from 0, when the page's address says so."""
    text = query.get("turn", "")
    if not (text.isascii() and text.isdigit()):
        return None
    return max(0, int(text[:9]) - 1)


def window_links(transcript: Transcript) -> dict[str, str]:
    links = {}
    if transcript.first > 1:
        links["earlier"] = f"?turn={max(1, transcript.first - TURNS_SHOWN)}"
    if transcript.turns and transcript.last < transcript.total:
        links["later"] = f"?turn={transcript.last + 1}"
    return links


def header_rules_of(row: RequestLog) -> list[dict[str, Any]]:
    """What rules did to the headers of each direction, and what those in shadow would have done."""
    record = getattr(row, "header_record", None)
    told = (record.rules if record else None) or {}
    titles = {"request": "On the way to the provider", "response": "On the way to the client"}
    return [{"title": titles[direction], **told[direction]} for direction in titles if direction in told]


def header_tables(row: RequestLog) -> list[tuple[str, list[tuple[str, str]]]]:
    record = getattr(row, "header_record", None)
    return [
        ("Request headers", list(record.request_pairs) if record else []),
        ("Answer headers", list(record.response_pairs) if record else []),
    ]


def arrival(row: RequestLog, response: ResponseLog | None) -> Timeline | None:
    timing = getattr(row, "chunk_timing", None)
    if timing is None:
        return None
    start_ms = (timing.first_at - row.started_at).total_seconds() * 1_000
    chunks = [(start_ms + micros / 1_000, size) for micros, size in unpack(bytes(timing.packed))]
    return draw_timeline(chunks, response.duration_ms if response else None)


def list_attempts(response: ResponseLog | None) -> list[dict[str, Any]]:
    """Each try to reach a provider, its times in milliseconds since the request was admitted."""
    return [in_milliseconds(attempt) for attempt in (response.attempts if response else [])]


def in_milliseconds(attempt: Mapping[str, Any]) -> dict[str, Any]:
    shown = dict(attempt)
    for name in ATTEMPT_TIMES:
        micros = attempt.get(f"{name}_us")
        if micros is not None:
            shown[f"{name}_ms"] = micros / 1_000
    return shown
