"""What every agent does now: what is under way, and the sessions that were at work a moment ago."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.core.cache import cache
from django.db.models import Max

from dashboard.access import Viewer
from dashboard.live.board import Record
from dashboard.live.hub import hub
from dashboard.scope import Scope
from gateway.history.conversation.sessions import summed
from gateway.history.id_times import first_id_at

RECENT: Final = timedelta(minutes=15)
SILENT_SECONDS: Final = 10.0
"""An answer that has begun and brings nothing for as long is stalled, as far as one can see."""
MOST_SESSIONS: Final = 60
RECENT_SECONDS: Final = 3
"""How long it is remembered which sessions were at work."""
SUMS_SECONDS: Final = 15

Spot = tuple[str, str, str]
"""Team, key, session; what names no session is one for each key."""


@dataclass(slots=True)
class Turn:
    """One request under way."""

    id: str
    agent: str
    model: str
    doing: str
    tool: str
    tokens: int
    rate: float
    seconds: float
    silent: float | None
    """Seconds without a byte, where that is long for an answer that has begun."""
    waits: bool
    """The provider has not answered."""


@dataclass(slots=True)
class Working:
    """A session, or what a key does outside of one."""

    team: str
    key: str
    session: str
    client: str = ""
    turns: list[Turn] = field(default_factory=list)
    requests: int | None = None
    cost_usd: Decimal | None = None
    last: datetime | None = None

    @property
    def is_stalled(self) -> bool:
        return any(turn.silent is not None for turn in self.turns)


def read_agents(viewer: Viewer, scope: Scope) -> dict[str, Any]:
    """The template's context. Of the scope the time means nothing here: this is now."""
    now = time.time()
    found: dict[Spot, Working] = {}
    for record in hub.under_way(viewer.figures.teams):
        if not record.get("purpose") and is_within(record, scope):
            spot = (record["team"], record.get("key", ""), record.get("session", ""))
            one = found.setdefault(spot, Working(*spot, client=record.get("client", "")))
            one.turns.append(turn_of(record, now))
    for spot, last, client in recent(viewer, scope):
        one = found.setdefault(spot, Working(*spot, client=client))
        one.last, one.client = last, one.client or client
    shown = sorted(found.values(), key=order)[:MOST_SESSIONS]
    add_sums(viewer, shown)
    busy = [one for one in shown if one.turns]
    return {
        "busy": busy,
        "idle": [one for one in shown if not one.turns],
        "turns": sum(len(one.turns) for one in busy),
        "stalled": sum(one.is_stalled for one in busy),
        "rate": sum(turn.rate for one in busy for turn in one.turns),
        "minutes": int(RECENT.total_seconds() // 60),
    }


def is_within(record: Record, scope: Scope) -> bool:
    """A model is the one that was asked for, or the one that it is sent to."""
    same = all(getattr(scope, name) in ("", record.get(name, "")) for name in ("team", "key", "provider"))
    return same and scope.model in ("", record.get("model", ""), record.get("to", ""))


def order(one: Working) -> tuple[bool, bool, float, Spot]:
    """The stalled first, then the busy, which keep their places, then by who was at work last."""
    last = one.last.timestamp() if one.last and not one.turns else 0.0
    return not one.is_stalled, not one.turns, -last, (one.team, one.key, one.session)


def turn_of(record: Record, now: float) -> Turn:
    doing = record.get("doing", "")
    silent = now - record.get("moved", now)
    waits = record.get("status") is None
    return Turn(
        record["id"],
        record.get("agent", ""),
        record.get("to") or record.get("model", ""),
        doing,
        doing.removeprefix("tool:") if doing.startswith("tool:") else "",
        record.get("tokens", 0),
        0.0 if silent > 2 else record.get("rate", 0.0),
        max(0.0, now - record["at"]),
        silent if silent > SILENT_SECONDS and not waits else None,
        waits,
    )


def recent(viewer: Viewer, scope: Scope) -> list[tuple[Spot, datetime, str]]:
    teams = viewer.figures.teams
    only = scope.only()
    name = f"agents-recent:{'*' if teams is None else ','.join(sorted(teams))}:{safe(repr(sorted(only.items())))}"
    kept: list[tuple[Spot, datetime, str]] | None = cache.get(name)
    if kept is None:
        rows = viewer.figures.requests().filter(id__gte=first_id_at(datetime.now(UTC) - RECENT), purpose="", **only)
        groups = rows.values("team", "access_key", "session_id").annotate(last=Max("started_at"), client=Max("client"))
        kept = [
            ((row["team"], row["access_key"], row["session_id"] or ""), row["last"], row["client"])
            for row in groups.order_by("-last")[:MOST_SESSIONS]
        ]
        cache.set(name, kept, RECENT_SECONDS)
    return kept


def add_sums(viewer: Viewer, shown: Iterable[Working]) -> None:
    """What a session has cost so far, and its requests; of those without one nothing is summed up."""
    ids = sorted({one.session for one in shown if one.session})
    teams = viewer.figures.teams
    prefix = f"agents-sums:{'*' if teams is None else ','.join(sorted(teams))}:"
    kept: dict[str, tuple[int, Decimal | None]] = {
        name: value for name in ids if (value := cache.get(prefix + safe(name))) is not None
    }
    missing = [name for name in ids if name not in kept]
    if missing:
        for session in summed(missing, viewer.figures):
            kept[session.id] = session.requests, session.cost_usd
            cache.set(prefix + safe(session.id), kept[session.id], SUMS_SECONDS)
    for one in shown:
        one.requests, one.cost_usd = kept.get(one.session, (None, None))


def safe(name: str) -> str:
    """Names of sessions are the client's: any text, of any length."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
