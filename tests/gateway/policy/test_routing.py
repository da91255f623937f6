"""Which provider and model a request leads to."""

from __future__ import annotations

import time

import pytest

from gateway.dialects.names import Dialect, ProviderDialect
from gateway.dialects.profiles import PROFILES
from gateway.policy.routing import Destination, Untranslatable, choose_destination, find_route
from gateway.policy.snapshot import ProviderEntry, RouteEntry, Snapshot

ANTHROPIC = ProviderEntry("anthropic", ProviderDialect.ANTHROPIC, "https://api.anthropic.com")
OPENAI = ProviderEntry("openai", ProviderDialect.OPENAI, "https://api.openai.com")
MIRROR = ProviderEntry("mirror", ProviderDialect.ANTHROPIC, "https://mirror.example")
ENGINE = ProviderEntry("engine", ProviderDialect.OPENAI, "http://127.0.0.1:8000", profile=PROFILES["vllm"])
SNAPSHOT = Snapshot(
    1,
    False,
    {entry.name: entry for entry in (ANTHROPIC, OPENAI, MIRROR, ENGINE)},
    exact_routes={
        "fast": RouteEntry("fast", "mirror", "claude-haiku-4-5"),
        "qwen": RouteEntry("qwen", "engine", "qwen3"),
    },
    pattern_routes=(
        RouteEntry("claude-opus-*", "mirror", ""),
        RouteEntry("claude-*", "mirror", "claude-sonnet-4-5"),
        RouteEntry("gpt-?", "openai", "gpt-5.5"),
        RouteEntry("odd[1]*", "mirror", ""),
    ),
)

CASES = {
    "an exact name with a model": (Dialect.ANTHROPIC, "fast", Destination(MIRROR, "claude-haiku-4-5")),
    "a pattern that keeps the model": (Dialect.ANTHROPIC, "claude-opus-4-5", Destination(MIRROR, None)),
    "the first pattern that fits wins": (Dialect.ANTHROPIC, "claude-opus-x", Destination(MIRROR, None)),
    "a later pattern": (Dialect.ANTHROPIC, "claude-haiku-4", Destination(MIRROR, "claude-sonnet-4-5")),
    "the same model is no change": (Dialect.ANTHROPIC, "claude-sonnet-4-5", Destination(MIRROR, None)),
    "a question mark stands for one character": (Dialect.CHAT, "gpt-4", Destination(OPENAI, "gpt-5.5")),
    "and not for two": (Dialect.CHAT, "gpt-44", Destination(OPENAI, None)),
    "brackets stand for themselves": (Dialect.ANTHROPIC, "odd[1]x", Destination(MIRROR, None)),
    "brackets are no set": (Dialect.ANTHROPIC, "odd1x", Destination(ANTHROPIC, None)),
    "no route": (Dialect.ANTHROPIC, "other", Destination(ANTHROPIC, None)),
    "no route, chat": (Dialect.CHAT, "other", Destination(OPENAI, None)),
    "no model": (Dialect.RESPONSES, None, Destination(OPENAI, None)),
    "letters of another case": (Dialect.ANTHROPIC, "CLAUDE-OPUS-1", Destination(ANTHROPIC, None)),
    "a route to the other API": (Dialect.CHAT, "claude-opus-4-5", Destination(MIRROR, None, Dialect.ANTHROPIC)),
    "a route to an engine": (Dialect.ANTHROPIC, "qwen", Destination(ENGINE, "qwen3", Dialect.CHAT)),
    "what is no conversation": (Dialect.OPENAI, "claude-opus-4-5", Untranslatable(MIRROR)),
}


@pytest.mark.parametrize(("dialect", "model", "expected"), CASES.values(), ids=CASES)
def test_destination(dialect: Dialect, model: str | None, expected: object) -> None:
    assert choose_destination(SNAPSHOT, dialect, model) == expected


def test_a_hostile_model_name_costs_no_time() -> None:
    snapshot = Snapshot(1, False, {}, pattern_routes=(RouteEntry("*a*a*a*a*a*a*b", "x", ""),))
    began = time.perf_counter()
    assert find_route(snapshot, "a" * 20_000) is None
    assert time.perf_counter() - began < 1
