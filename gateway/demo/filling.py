"""Puts a demonstration into the history, by the loader's own row builder and writer."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import psycopg
from django.db import connection

from gateway.demo.people import choose
from gateway.demo.sessions import Session, Turn
from gateway.demo.texts import Texts
from gateway.dialects.json_values import write_json
from gateway.history.prices import read_book
from gateway.history.tree_writer import StalePlans
from gateway.history.writer import ExchangeRows, HistoryWriter
from gateway.recording.assemble import Recorded
from gateway.recording.records import Admission, Attempt, End, HeaderPairs, ResponseHead
from gateway.recording.rows import RowBuilder

BATCH = 400
LONGEST_SESSION = 60
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MILLISECOND = datetime.timedelta(milliseconds=1)
ORGANIZATION = b"6f1d2b7e-0000-4000-8000-00000000d0de"


class Window(NamedTuple):
    """`most` is the part of it that is used at its end."""

    name: str
    length: datetime.timedelta
    most: float


WINDOWS = (Window("5h", datetime.timedelta(hours=5), 0.95), Window("7d", datetime.timedelta(days=7), 0.7))


class Plan(NamedTuple):
    turns: int
    days: int
    seed: int


def fill(plan: Plan, batch: int = BATCH) -> Iterator[int]:
    """How many turns are stored, after each batch of so many."""
    connection.ensure_connection()
    raw: psycopg.Connection[tuple[object, ...]] = connection.connection
    builder, writer = RowBuilder(prices=read_book()), HistoryWriter(raw)
    stored = 0
    made: list[Recorded] = []
    for turn in turns(plan):
        made.append(recorded(turn))
        if len(made) == batch or stored + len(made) == plan.turns:
            while True:
                with suppress(StalePlans):  # a sweep began: build them again
                    write(raw, writer, [builder.build(each) for each in made])
                    break
            stored += len(made)
            made = []
            yield stored


def write(raw: psycopg.Connection[tuple[object, ...]], writer: HistoryWriter, batch: list[ExchangeRows]) -> None:
    writer.ensure_months(batch)
    with raw.transaction():
        writer.write(batch)
    writer.settle(batch)


def turns(plan: Plan) -> Iterator[Turn]:
    """As many as were asked for, day after day, most of them in working hours."""
    source = random.Random(plan.seed)  # noqa: S311
    texts = Texts(source)
    now = datetime.datetime.now(datetime.UTC)
    left = plan.turns
    while left > 0:
        age = plan.days * left / plan.turns
        day = (now - datetime.timedelta(days=age)).replace(minute=0, second=0, microsecond=0)
        hour = min(23, max(0, int(source.gauss(13, 3))))
        at = min(day.replace(hour=hour), now) + datetime.timedelta(seconds=source.randrange(3600))
        session = Session(choose(source), at - datetime.timedelta(hours=2), source, texts)
        for turn in session.turns(source.randrange(1, LONGEST_SESSION)):
            yield turn
            left -= 1
            if not left:
                return


def recorded(turn: Turn) -> Recorded:
    body = write_json(turn.body)
    times = [(turn.first_ms + number * turn.gap_ms) * 1000 for number in range(len(turn.chunks))]
    attempt = Attempt("anthropic", "https://api.anthropic.com", 400, 31_000, times[0] - 900, turn.status)
    kind = b"text/event-stream; charset=utf-8" if turn.status == 200 else b"application/json"
    return Recorded(
        exchange_id=new_id(turn.at),
        admission=admission(turn, len(body)),
        end=End(times[-1] + 500, turn.outcome, None, [attempt]),
        body=body,
        head=ResponseHead(times[0] - 900, turn.status, answer_headers(kind, turn.at)),
        response=b"".join(turn.chunks),
        times=times,
        sizes=[len(chunk) for chunk in turn.chunks],
    )


def admission(turn: Turn, size: int) -> Admission:
    caller = turn.caller
    return Admission(
        started_us=(turn.at - EPOCH) // datetime.timedelta(microseconds=1),
        method="POST",
        path="/v1/messages",
        query="beta=true",
        dialect="anthropic",
        provider="anthropic",
        access_key=caller.access_key,
        team=caller.team,
        client_address=caller.address,
        http_version="1.1",
        headers=request_headers(turn),
        body_bytes=size,
        requested_model=caller.model,
        is_streaming=True,
    )


def request_headers(turn: Turn) -> HeaderPairs:
    pairs = [
        ("accept", "application/json"),
        ("content-type", "application/json"),
        ("user-agent", f"claude-cli/{turn.caller.client_version} (external, cli)"),
        ("x-claude-code-session-id", turn.session_id),
        ("x-claude-code-agent-id", turn.agent_id),
        ("x-claude-code-parent-agent-id", turn.parent_agent_id),
        ("anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14"),
        ("anthropic-version", "2023-06-01"),
        ("x-app", "cli"),
    ]
    return [(name.encode(), value.encode()) for name, value in pairs if value is not None]


def answer_headers(kind: bytes, at: datetime.datetime) -> HeaderPairs:
    number = b"req_%024x" % random.getrandbits(96)
    pairs = [(b"content-type", kind), (b"request-id", number), (b"anthropic-organization-id", ORGANIZATION)]
    return [*pairs, *(pair for window in WINDOWS for pair in limit_headers(window, at))]


def limit_headers(window: Window, at: datetime.datetime) -> HeaderPairs:
    """How much of a subscription's window was used by then: more and more, and a little faster towards its end."""
    begun = EPOCH + (at - EPOCH) // window.length * window.length
    used = window.most * ((at - begun) / window.length) ** 1.15
    resets = int((begun + window.length).timestamp())
    start = f"anthropic-ratelimit-unified-{window.name}"
    pairs = ((f"{start}-utilization", f"{used:.2f}"), (f"{start}-reset", str(resets)), (f"{start}-status", "allowed"))
    return [(name.encode(), value.encode()) for name, value in pairs]


def new_id(at: datetime.datetime) -> bytes:
    """A UUIDv7 of that time."""
    tail = random.getrandbits(74)
    number = ((at - EPOCH) // MILLISECOND) << 80 | 7 << 76 | (tail >> 62) << 64 | 2 << 62 | tail & (1 << 62) - 1
    return number.to_bytes(16, "big")
