"""What everybody should know before they believe or begin anything, above every page: what comes in is not kept, the
history is behind, a gateway drains, a breaker is open, an account's window is nearly used up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from django.core.cache import cache
from django.db import DatabaseError, connection
from django.utils import timezone

from dashboard.access import Viewer
from dashboard.pages import Need
from dashboard.queries.quota import read_quota
from gateway.history.visibility import Sight
from gateway.metrics.gauges import Told, read_told
from gateway.policy.breaker import BreakerState

PROCESSES_SECONDS: Final = 5
QUOTA_SECONDS: Final = 30
BEHIND_SECONDS: Final = 60.0
"""How old the oldest exchange of a spool may be that is not in the history."""
NEARLY_USED: Final = 0.9


class Notice(NamedTuple):
    """`tone`: warn or bad. `page`: where there is more, a name of `dashboard/pages.py`."""

    tone: str
    text: str
    page: str


def read_notices(viewer: Viewer) -> list[Notice]:
    """The worst first; some seconds old. Nothing for those who see no figures."""
    if not viewer.may(Need.FIGURES):
        return []
    sight = viewer.figures
    whose = "*" if sight.teams is None else ",".join(sorted(sight.teams))
    found = [
        *kept(f"notices-processes:{whose}", PROCESSES_SECONDS, lambda: list(of_processes(sight))),
        *kept(f"notices-quota:{whose}", QUOTA_SECONDS, lambda: list(of_quota(sight))),
    ]
    return sorted(found, key=lambda notice: notice.tone != "bad")


def kept(name: str, seconds: int, read: Callable[[], list[Notice]]) -> list[Notice]:
    found: list[Any] | None = cache.get(name)
    if found is None:
        found = read()
        cache.set(name, [tuple(notice) for notice in found], seconds)
    return [Notice(*notice) for notice in found]


def of_processes(sight: Sight) -> Iterator[Notice]:
    try:
        with connection.cursor() as cursor:
            told = read_told(cursor, stale=True)
    except DatabaseError:
        yield Notice("bad", "The database does not answer: what comes in waits in the spool.", "health")
        return
    fresh = [one for one in told if one.fresh]
    yield from of_recording(fresh)
    yield from of_loaders(told, fresh)
    if any(one.value("draining") for one in fresh):
        yield Notice("warn", "A gateway process drains: it takes no new requests.", "health")
    yield from of_breakers(fresh, sight)


def of_recording(fresh: Sequence[Told]) -> Iterator[Notice]:
    if any(one.value("recorder_keeps_history") == 0 for one in fresh):
        yield Notice("bad", "What comes in now is not recorded.", "health")


def of_loaders(told: Sequence[Told], fresh: Sequence[Told]) -> Iterator[Notice]:
    """A loader that was here and is gone counts where none has taken its place."""
    if any(one.role == "web" for one in fresh) and {one.role for one in told} > {one.role for one in fresh}:
        yield Notice("bad", "Nothing moves requests into the history: no loader runs.", "health")
    behind = max((one.value("spool_oldest_seconds") or 0.0 for one in fresh), default=0.0)
    if behind > BEHIND_SECONDS:
        yield Notice("warn", f"The history is {behind / 60:.0f} min behind what comes in.", "health")


def of_breakers(fresh: Sequence[Told], sight: Sight) -> Iterator[Notice]:
    """Models are named by callers: only who sees every team is told their names."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for gauge in (gauge for one in fresh for gauge in one.gauges if gauge.name == "breaker_state"):
        if gauge.labels["state"] != BreakerState.CLOSED:
            states, models = found.setdefault(gauge.labels["provider"], (set(), set()))
            states.add(gauge.labels["state"])
            models.add(gauge.labels["model"])
    for provider, (states, models) in sorted(found.items()):
        named = ", ".join(sorted(name for name in models if name)[:3]) if sight.teams is None else ""
        of_models = f" for {named}" if named else ""
        if BreakerState.OPEN in states:
            yield Notice("bad", f"The breaker of {provider} is open{of_models}: it keeps failing.", "errors")
        else:
            yield Notice("warn", f"The breaker of {provider} lets probes out{of_models}: it failed.", "errors")


def of_quota(sight: Sight) -> Iterator[Notice]:
    for window in read_quota(sight, timezone.now(), burners=False):
        if window.over or window.used < NEARLY_USED:
            continue
        anew = f"; it begins anew {window.resets_at:%H:%M} UTC" if window.resets_at else ""
        tone = "bad" if window.used >= 1 else "warn"
        account = f"{window.account[:8]}…" if len(window.account) > 9 else window.account
        yield Notice(tone, f"{window.used:.0%} of the {window.name} window of {account} is used{anew}.", "quota")
