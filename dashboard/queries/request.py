"""Everything the pages of one request show, a tab at a time, read in a fixed number of queries and bounded in size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from dashboard.queries.facts import list_facts, neighbours, response_of
from dashboard.queries.headers import table_of
from dashboard.queries.limits import gauges
from dashboard.queries.raw import FORMS, RawPart, decoded, describe_part, preview, read_body
from dashboard.queries.timeline import Timeline, draw_timeline
from dashboard.queries.turn_before import TurnBefore, turn_before
from dashboard.queries.waterfall import draw_waterfall
from dashboard.rendering.blocks import MediaAddress, Renderer, ShownTurn, tools_shown
from gateway.history.conversation.context import prompt_tokens
from gateway.history.id_times import first_id_at
from gateway.history.itemised import cost_lines
from gateway.history.partitions import month_of
from gateway.history.present import TOKEN_KEYS, answered_in, limits_of, message_of, time_spent_of
from gateway.history.timings import unpack
from gateway.history.transcript import TURNS_SHOWN, read_transcript
from gateway.history.transcript.blocks import Transcript, as_mapping, pretty
from gateway.history.veil import curtain_of, shown_body, shown_text, shown_value
from gateway.history.visibility import Sight
from gateway.models import RequestLog, ResponseLog

READ_AS_CONVERSATION: Final = 16_000_000
LEAST_KNOWN: Final = 3
"""Messages of the turn before that are worth a fold."""
ATTEMPT_TIMES: Final = ("at", "connected", "headers")
RELATED_SHOWN: Final = 20
MAY_COME: Final = timedelta(days=1)
"""How long after its admission a request may still be under way, or wait in the spool."""
CLOCKS_DIFFER: Final = timedelta(minutes=1)
LEAVES_READ: Final = 500
ANCESTORS: Final = """
WITH RECURSIVE up AS (
    SELECT parent, 1 AS steps FROM gateway_node
    WHERE month = %(month)s AND scope = %(scope)s AND digest = %(leaf)s
    UNION ALL
    SELECT node.parent, steps + 1 FROM up JOIN gateway_node node
      ON node.month = %(month)s AND node.scope = %(scope)s AND node.digest = up.parent
    WHERE steps < 40
)
SELECT parent FROM up WHERE parent IS NOT NULL
"""
DIRECTIONS: Final = {"request": "On the way to the provider", "response": "On the way to the client"}
LISTED: Final = (
    "id", "started_at", "requested_model", "model", "status_code", "outcome", "agent_id", "purpose", "is_streaming",
    "response__duration_ms", "response__input_tokens", "response__output_tokens", "response__cost_usd",
    "response__cost_note", "response__stop_reason",
)  # fmt: skip


def find_request(sight: Sight, request_id: UUID) -> RequestLog | None:
    """A row that may be listed; whether its words may be read says `sight.reads(row.team)`. Another team's request and
    one that was never made look the same: None."""
    return sight.listed().select_related("response").filter(id=request_id).first()


def may_come(request_id: UUID) -> bool:
    """Whether a request of this id may be stored yet. Says nothing of whether there is one: it reads the id alone."""
    now = datetime.now(UTC)
    return request_id.version == 7 and first_id_at(now - MAY_COME) <= request_id < first_id_at(now + CLOCKS_DIFFER)


def read_head(row: RequestLog) -> dict[str, Any]:
    """What stands above every tab."""
    response = response_of(row)
    return {
        "row": row,
        "response": response,
        "heading": row.requested_model or row.model or row.path,
        "facts": list_facts(row),
        "neighbours": neighbours(row),
        "attempts": list_attempts(response, row.team),
        "error_message": shown_text((response.error_message if response else None) or "", row.team),
        "stream_error": shown_text((response.stream_error if response else None) or "", row.team),
    }


def read_messages(
    row: RequestLog, query: Mapping[str, str], media_address: MediaAddress, here: str = ""
) -> dict[str, Any]:
    """The messages, a window of them when they are many, and the links to the windows beside it. `here` is the address
    of the request's page for who reads on another one."""
    response = response_of(row)
    body = read_request_body(row)
    about = {"translation": response.translation if response else None}
    if len(body) > READ_AS_CONVERSATION:
        return about | {"no_transcript": "This request is too large to be shown as a conversation."}
    first = first_turn(query)
    window = slice(-TURNS_SHOWN, None) if first is None else slice(first, first + TURNS_SHOWN)
    spoken = answered_in(response) if response else ""
    counted = prompt_tokens(response) if response else None
    transcript = read_transcript(row.dialect, body, message_of(response), window, spoken, counted)
    if transcript is None or not (transcript.total or transcript.answer):
        return about | {"no_transcript": nothing_to_read(row, body)}
    found = shown(transcript, media_address, here)
    # Who asked for a window wants to read all of it, and a preview has the last of it alone.
    before = turn_before(row) if not here and first is None and len(transcript.turns) > LEAST_KNOWN else None
    return about | found | split_turns(found["turns"], before) | window_links(transcript)


def split_turns(turns: Sequence[ShownTurn], before: TurnBefore | None) -> dict[str, Any]:
    """A long beginning that stood in the turn before, apart from the rest."""
    known = max(0, len(turns) - before.fresh) if before else 0
    if before is None or not before.fresh or known < LEAST_KNOWN:
        return {"known_turns": [], "new_turns": turns}
    return {"known_turns": turns[:known], "new_turns": turns[known:], "before": before.id}


def nothing_to_read(row: RequestLog, body: bytes) -> str:
    if not body and row.capture_policy:
        return f"What was said was not kept, by the capture policy {row.capture_policy}."
    return "Nothing here reads as a conversation."


def shown(transcript: Transcript, media_address: MediaAddress, here: str) -> dict[str, Any]:
    """The answer first, because a page's allowance for formatting is spent in this order."""

    def turn_address(number: int) -> str:
        there = not here and transcript.first <= number <= transcript.last
        return f"#turn-{number}" if there else f"{here}?turn={number}#turn-{number}"

    renderer = Renderer(media_address, turn_address, transcript.tokens)
    both = renderer.turns([*transcript.turns, *transcript.answer])
    count = len(transcript.turns)
    return {
        "transcript": transcript,
        "turns": both[:count],
        "answer": both[count:],
        "system": renderer.blocks(transcript.system, shares=len(transcript.system) > 1),
        "system_share": renderer.share(transcript.system_tokens),
        "tools": tools_shown(transcript.tools, renderer),
        "tools_share": renderer.share(transcript.tools_tokens),
    }


def read_request_body(row: RequestLog) -> bytes:
    """Without its content coding; empty when it was not kept or is damaged."""
    kept = read_body(row.id, "request")
    return shown_body(decoded(kept.body, request_encoding(row)), row.team) if kept else b""


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


def read_raw(row: RequestLog, form: str) -> dict[str, Any]:
    """`form` is one of FORMS; anything else is the first."""
    form = form if form in FORMS else FORMS[0]
    response = response_of(row)
    if curtain_of(row.team) is not None:
        return {"parts": [seen_request(row)], "forms": (), "raw_form": FORMS[0], "hides_bytes": True}
    sent, came = read_body(row.id, "request"), read_body(row.id, "response")
    answer_is = (response.content_type, response.content_encoding) if response else ("", "")
    return {
        "parts": [
            describe_part("request", sent, row.content_type, request_encoding(row), form),
            describe_part("response", came, *answer_is, form),
            *translated_parts(row, response, form),
        ],
        "forms": FORMS,
        "raw_form": form,
    }


def seen_request(row: RequestLog) -> RawPart:
    """What may be shown of a request's bytes where something in them may be hidden: their values, written anew."""
    body = read_request_body(row)
    text, cut = preview(body, "", "pretty")
    return RawPart("request", "Request", bool(body), len(body), "", row.content_type, "", text, cut)


def translated_parts(row: RequestLog, response: ResponseLog | None, form: str) -> list[RawPart]:
    """The other two sides of a translated exchange."""
    if response is None or response.translation is None:
        return []
    return [describe_part(name, read_body(row.id, name), "", "", form) for name in ("asked", "got")]


def read_timeline(row: RequestLog) -> dict[str, Any]:
    response = response_of(row)
    spent = time_spent_of(row, response)
    timeline = arrival(row, response)
    return {
        "timeline": timeline,
        "spent": spent,
        "waterfall": draw_waterfall(
            list_attempts(response, row.team), spent, timeline, response.duration_ms if response else None
        ),
    }


def arrival(row: RequestLog, response: ResponseLog | None) -> Timeline | None:
    timing = getattr(row, "chunk_timing", None)
    if timing is None:
        return None
    start_ms = (timing.first_at - row.started_at).total_seconds() * 1_000
    chunks = [(start_ms + micros / 1_000, size) for micros, size in unpack(bytes(timing.packed))]
    return draw_timeline(chunks, response.duration_ms if response else None)


def read_headers(row: RequestLog) -> dict[str, Any]:
    """Both directions as they came, and what header rules made of them."""
    rules = as_mapping(shown_value(getattr(getattr(row, "header_record", None), "rules", None), row.team))
    tables = zip(header_tables(row), DIRECTIONS, strict=True)
    return {
        "headers": [table_of(title, pairs, rules.get(direction)) for (title, pairs), direction in tables],
        "header_rules": [{"title": DIRECTIONS[name], **rules[name]} for name in DIRECTIONS if name in rules],
    }


def header_tables(row: RequestLog) -> list[tuple[str, list[tuple[str, str]]]]:
    record = getattr(row, "header_record", None)
    return [
        ("Request headers", shown_pairs(record.request_pairs, row.team) if record else []),
        ("Answer headers", shown_pairs(record.response_pairs, row.team) if record else []),
    ]


def shown_pairs(pairs: Sequence[tuple[str, str]], team: str) -> list[tuple[str, str]]:
    return [(name, shown_text(value, team)) for name, value in pairs]


def request_encoding(row: RequestLog) -> str:
    """The request's Content-Encoding, by the headers as they came."""
    pairs = header_tables(row)[0][1]
    return ", ".join(value for name, value in pairs if name.lower() == "content-encoding")


def read_cost(row: RequestLog) -> dict[str, Any]:
    response = response_of(row)
    return {
        "usage": pretty(shown_value(response.usage, row.team)) if response and response.usage is not None else "",
        "token_kinds": [
            (name.removesuffix("_tokens").replace("_", " "), getattr(response, name, None)) for name in TOKEN_KEYS
        ],
        "cost_lines": cost_lines(response),
    }


def read_limits(row: RequestLog) -> dict[str, Any]:
    """What the answer's headers said of limits, as gauges where they are understood, and all of them as they came."""
    found = shown_value(limits_of(getattr(row, "header_record", None)), row.team)
    return {"gauges": gauges(found, row.started_at), "rate_limits": list(found.items())}


def read_related(row: RequestLog, sight: Sight) -> dict[str, Any]:
    """Requests that have something in common with this one, each group newest first and bounded."""
    visible = sight.listed().filter(team=row.team)
    return {
        "groups": [
            group
            for title, why, rows, address in (
                ("The same words", "Tries again and replays: the messages are the same.", same_leaf(visible, row), ""),
                (
                    "The same beginning",
                    "What it goes on from: this one begins with all of it.",
                    beginnings(visible, row),
                    "",
                ),
                ("The same prompt", "What one thing a person asked for led to.", same("prompt_id", visible, row), ""),
                (
                    "The same session",
                    "The turns around this one.",
                    around(visible, row),
                    f"session={row.session_id}" if row.session_id else "",
                ),
                ("What it repeats", "The request it is a replay of.", replayed(visible, row), ""),
            )
            if (group := (title, why, list(rows), address))[2]
        ]
    }


def listed(rows: QuerySet[RequestLog]) -> QuerySet[RequestLog]:
    return rows.select_related("response").only(*LISTED)


def same_leaf(visible: QuerySet[RequestLog], row: RequestLog) -> list[RequestLog]:
    return of_leaves(visible, row, [bytes(row.messages_leaf)]) if row.messages_leaf is not None else []


def of_leaves(visible: QuerySet[RequestLog], row: RequestLog, leaves: Sequence[bytes]) -> list[RequestLog]:
    """Ids first, by the index on the leaf alone: with an order in the statement PostgreSQL walks all ids instead."""
    ids = RequestLog.objects.filter(messages_leaf__in=leaves).order_by().values_list("id", flat=True)[:LEAVES_READ]
    newest = sorted((found for found in ids if found != row.id), reverse=True)[:RELATED_SHOWN]
    return sorted(listed(visible.filter(id__in=newest, scope=row.scope)), key=lambda found: found.id, reverse=True)


def beginnings(visible: QuerySet[RequestLog], row: RequestLog) -> list[RequestLog]:
    """Found upwards in the prefix tree, so that it costs the same however many go on from there."""
    if row.messages_leaf is None:
        return []
    values: dict[str, Any] = {"month": month_of(row.id.bytes), "scope": row.scope, "leaf": bytes(row.messages_leaf)}
    with connection.cursor() as cursor:
        cursor.execute(ANCESTORS, values)
        leaves = [bytes(digest) for (digest,) in cursor.fetchall()]
    return of_leaves(visible, row, leaves)


def same(column: str, visible: QuerySet[RequestLog], row: RequestLog) -> list[RequestLog]:
    value = getattr(row, column)
    if not value:
        return []
    return list(listed(visible.filter(**{column: value}).exclude(id=row.id)).order_by("-id")[:RELATED_SHOWN])


def around(visible: QuerySet[RequestLog], row: RequestLog) -> list[RequestLog]:
    if not row.session_id:
        return []
    session = listed(visible.filter(session_id=row.session_id))
    half = RELATED_SHOWN // 2
    after = list(session.filter(id__gt=row.id).order_by("id")[:half])
    before = list(session.filter(id__lt=row.id).order_by("-id")[:half])
    return [*reversed(after), *before]


def replayed(visible: QuerySet[RequestLog], row: RequestLog) -> list[RequestLog]:
    return list(listed(visible.filter(id=row.replay_of))) if row.replay_of else []


def list_attempts(response: ResponseLog | None, team: str) -> list[dict[str, Any]]:
    """Each try to reach a provider, its times in milliseconds since the request was admitted."""
    return [in_milliseconds(attempt) for attempt in shown_value(response.attempts if response else [], team)]


def in_milliseconds(attempt: Mapping[str, Any]) -> dict[str, Any]:
    shown_attempt = dict(attempt)
    for name in ATTEMPT_TIMES:
        micros = attempt.get(f"{name}_us")
        if micros is not None:
            shown_attempt[f"{name}_ms"] = micros / 1_000
    return shown_attempt
