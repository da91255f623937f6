"""Callers name the models: however many names they make up, a process remembers a bounded number."""

from __future__ import annotations

from gateway.dialects.names import ProviderDialect
from gateway.policy.breaker import BreakerState, Pass
from gateway.policy.snapshot import ProviderEntry
from gateway.upstream.figures import MOST_KNOWN, Figures
from gateway.upstream.fleet import MOST_BREAKERS, Fleet

PROVIDER = ProviderEntry("made", ProviderDialect.ANTHROPIC, "http://127.0.0.1:1", keyless=True)


def test_breakers_of_made_up_models_go_and_open_ones_stay() -> None:
    fleet = Fleet(clock=lambda: 1000.0)
    broken = fleet.breaker(PROVIDER, "broken")
    for _ in range(PROVIDER.breaker.failures):
        broken.failed(1000.0, Pass.THROUGH, "503")
    assert broken.state is BreakerState.OPEN
    for number in range(3 * MOST_BREAKERS):
        fleet.breaker(PROVIDER, f"made-up-{number}")
    assert len(fleet.describe()["breakers"]) <= MOST_BREAKERS
    assert fleet.breaker(PROVIDER, "broken") is broken


def test_figures_of_made_up_models_go_and_what_is_under_way_is_counted() -> None:
    figures = Figures()
    figures.began(("made", "running"))
    for number in range(3 * MOST_KNOWN):
        key = ("made", f"made-up-{number}")
        figures.began(key)
        figures.answered(key, 0.1)
        figures.ended(key)
    assert figures.in_flight("made", "running") == 1
    assert figures.in_flight("made", "made-up-1") == 0
    assert figures.first_byte("made", "made-up-1") is None
    assert figures.first_byte("made", f"made-up-{3 * MOST_KNOWN - 1}") == 0.1
    assert len(figures._first_byte) <= MOST_KNOWN
    assert len(figures._in_flight) == 1
    figures.ended(("made", "running"))
    assert figures.in_flight("made", "running") == 0
