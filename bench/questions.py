"""What `bench.big` asks a history, as the pages and commands ask it, and how long an answer may take."""

from __future__ import annotations

import datetime
import random
import uuid
from collections.abc import Callable
from typing import Any

LIMITS_MS = {"search": 200.0, "numbers": 50.0}
LIMIT_MS = 100.0
"""Of every other kind."""
Question = Callable[[], object]


def limit_of(name: str) -> float:
    return LIMITS_MS.get(name.partition(",")[0], LIMIT_MS)


def questions(source: random.Random) -> dict[str, Callable[[], Question]]:
    """By name, what makes one question of the kind: about another turn or session each time."""
    from gateway.history.conversation.cache import cache_readings
    from gateway.history.conversation.context import report
    from gateway.history.conversation.loading import load_session
    from gateway.history.conversation.present import conversation_object
    from gateway.history.conversation.rates import price_reader
    from gateway.history.conversation.tool_use import figures
    from gateway.history.queries import detail, recent
    from gateway.history.store import rebuild_request
    from gateway.models import RequestLog

    every = max(1, RequestLog.objects.count() // 2000)
    rows = list(RequestLog.objects.values_list("id", "session_id", "team", "access_key"))[::every]

    def one() -> tuple[uuid.UUID, str, str, str]:
        row: tuple[uuid.UUID, str, str, str] = source.choice(rows)
        return row

    def cache_of(loaded: Any) -> object:
        return cache_readings(loaded.turns, loaded.reader.read, price_reader())

    def about(take: Callable[[Any], Question]) -> Callable[[], Question]:
        return lambda: take(one())

    return {
        "list, newest": about(lambda row: lambda: recent(50)),
        "list, before any turn": about(lambda row: lambda: recent(50, row[0])),
        "list, of a session": about(lambda row: lambda: recent(50, session=row[1])),
        "list, of a team": about(lambda row: lambda: recent(50, row[0], team=row[2])),
        "list, of a key": about(lambda row: lambda: recent(50, row[0], access_key=row[3])),
        "list, of a status": about(lambda row: lambda: recent(50, row[0], status=source.choice([200, 429, 529]))),
        "list, of an outcome": about(lambda row: lambda: recent(50, outcome="client_disconnected")),
        "list, a model and a team": about(lambda row: lambda: recent(50, model="claude-haiku-5-5", team=row[2])),
        "detail": about(lambda row: lambda: detail(row[0])),
        "rebuild": about(lambda row: lambda: rebuild_request(row[0])),
        "conversation": about(lambda row: lambda: conversation_object(load_session(row[1]))),
        "cache misses": about(lambda row: lambda: cache_of(load_session(row[1]))),
        "context": about(lambda row: lambda: report(load_session(row[1]), price_reader())),
        "tools": about(lambda row: lambda: figures([load_session(row[1])])),
        **searches(about),
        **numbers(about),
    }  # fmt: skip


def searches(about: Any) -> dict[str, Callable[[], Question]]:
    """What is said in every tenth turn, in few and in none; in everything, and in what one team may see."""
    from gateway.history.search.find import search
    from gateway.history.visibility import EVERYTHING, Sight

    asked = {
        "a common word": "cache",
        "two words": "invoice webhook",
        "a word of none": "zyzzogeton",
        "a piece": '"the digest is"',
        "a path": "path:verify_cursor.py",
        "a tool": "tool:bash",
        "a word and a model": "ledger model:claude-haiku-5-5",
        "a word and a status": "ledger status:529",
    }
    return {
        f"search, {name}{of}": about(lambda row, text=text, team=team: lambda: search(
            text, Sight(frozenset({row[2]})) if team else EVERYTHING))
        for name, text in asked.items() for team, of in ((False, ""), (True, ", of a team"))
    }  # fmt: skip


def numbers(about: Any) -> dict[str, Callable[[], Question]]:
    from gateway.history.figures import Span, read_figures

    today = datetime.datetime.now(datetime.UTC).date()
    day, hour = datetime.timedelta(days=1), datetime.timedelta(hours=1)
    quarter, month = (Span(today - days * day, today + day, "UTC") for days in (90, 30))
    now = datetime.datetime.now(datetime.UTC).replace(minute=0, second=0, microsecond=0)
    week = Span(now - 7 * day, now + hour)
    return {
        "numbers, a quarter by day and model": about(
            lambda row: lambda: read_figures(quarter, ["time", "model"], latencies=())),
        "numbers, a quarter of a team by key": about(
            lambda row: lambda: read_figures(quarter, ["access_key"], teams=[row[2]], latencies=())),
        "numbers, a week by hour": about(lambda row: lambda: read_figures(week, ["time"], latencies=())),
        "numbers, latencies of a month": about(lambda row: lambda: read_figures(month)),
        "numbers, latencies of a month by model": about(
            lambda row: lambda: read_figures(month, ["model", "provider"])),
        "numbers, latencies of a week by hour": about(lambda row: lambda: read_figures(week, ["time"])),
    }  # fmt: skip
