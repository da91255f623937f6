"""Connections are let in while each can have what it needs."""

from __future__ import annotations

import resource

import pytest

from gateway.api.descriptors import REFUSALS, SPARE, Descriptors, open_descriptors


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> int:
    """One that leaves room for 400 connections beside what this process has open."""
    value = open_descriptors() + SPARE + 400
    monkeypatch.setattr(resource, "getrlimit", lambda which: (value, value))
    return value


class Idle:
    """Connections to providers that are kept without use."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.released = 0

    def release(self) -> None:
        self.released += 1
        self.count = 0


def descriptors(connections: list[int], idle: Idle) -> Descriptors:
    made = Descriptors(lambda: idle.count, idle.release)
    made.begin(connections)
    return made


def test_without_a_limit_everybody_comes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    infinite = resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda which: (infinite, infinite))
    made = descriptors(list(range(100_000)), Idle(0))
    assert made.has_room()
    assert made.grant()


def test_a_request_is_let_through_while_its_provider_can_be_called(limit: int) -> None:
    connections = list(range(200))
    made = descriptors(connections, Idle(0))
    edge = made.ceiling - REFUSALS
    granted = 0
    while made.grant():
        granted += 1
    assert granted == edge - len(connections)
    assert made.has_room(), "some are left to say so with"
    made.give_back()
    assert made.grant()


def test_at_the_ceiling_nobody_is_taken_in(limit: int) -> None:
    connections: list[int] = []
    made = descriptors(connections, Idle(0))
    connections += range(made.ceiling - 1)
    assert made.has_room()
    connections.append(0)
    assert not made.has_room()


def test_connections_to_providers_that_nobody_uses_make_way(limit: int) -> None:
    idle = Idle(300)
    made = descriptors(list(range(300)), idle)
    assert made.grant()
    assert idle.released == 1


def test_below_half_nothing_is_closed(limit: int) -> None:
    idle = Idle(100)
    made = descriptors(list(range(50)), idle)
    assert made.grant()
    assert idle.released == 0


def test_a_limit_that_changes_is_seen(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = descriptors([], Idle(0))
    before = made.ceiling
    monkeypatch.setattr(resource, "getrlimit", lambda which: (limit - 100, limit))
    made.look()
    assert before - made.ceiling == 100
