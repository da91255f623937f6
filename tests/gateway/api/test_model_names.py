"""Where a model's name leads, knowing what the providers list."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from gateway.api.model_names import find_plan, nearest_models
from gateway.dialects.model_list import ListedModel
from gateway.dialects.names import Dialect, ProviderDialect
from gateway.dialects.profiles import PROFILES
from gateway.policy.catalogue import Catalogue, make_listing
from gateway.policy.routing import MOST_REMEMBERED, Live, Plan, Question, Still
from gateway.policy.snapshot import Caller, Conditions, ProviderEntry, RouteEntry, Snapshot, TargetEntry
from gateway.policy.strategies import Strategy

ANTHROPIC, OPENAI = ProviderDialect.ANTHROPIC, ProviderDialect.OPENAI
PROVIDERS = {
    "anthropic": ProviderEntry("anthropic", ANTHROPIC, "https://a"),
    "openai": ProviderEntry("openai", OPENAI, "https://o", profile=PROFILES["openai"]),
    "engine": ProviderEntry("engine", OPENAI, "https://e", profile=PROFILES["chutes"]),
    "mirror": ProviderEntry("mirror", ANTHROPIC, "https://m"),
}
SNAPSHOT = Snapshot(
    1,
    False,
    PROVIDERS,
    {"Fast": RouteEntry("Fast", "engine", "kimi-k2.5"), "same": RouteEntry("same", "mirror", "")},
    (RouteEntry("qwen*", "engine", ""),),
)


def listing(provider: str, *names: str) -> dict[str, object]:
    models = [ListedModel(name, "", PROVIDERS[provider].dialect) for name in names]
    return {provider: make_listing(provider, models, 0)}


UNLISTED = Catalogue({})
LISTED = Catalogue(
    {
        **listing("anthropic", "claude-opus-4-5-20251101"),
        **listing("engine", "Kimi-K2.5", "Qwen3-Coder", "claude-opus-4-5", "claude-3-mini"),
    }  # type: ignore[arg-type]
)
NOTHING = Catalogue()


@pytest.mark.parametrize(
    ("catalogue", "model", "provider", "asked", "speaks"),
    [
        (NOTHING, "claude-opus-4-5", "anthropic", None, None),
        (NOTHING, "FAST", "engine", "kimi-k2.5", Dialect.CHAT),
        (NOTHING, "qwen3-coder", "engine", None, Dialect.CHAT),
        (NOTHING, "SAME", "mirror", "same", None),
        (NOTHING, "anthropic/qwen3", "engine", "qwen3", Dialect.CHAT),
        (NOTHING, "anthropic/claude-x", "anthropic", None, None),
        (LISTED, "Fast", "engine", "Kimi-K2.5", Dialect.CHAT),
        (LISTED, "qwen3-coder", "engine", "Qwen3-Coder", Dialect.CHAT),
        (LISTED, "kimi-k2.5", "engine", "Kimi-K2.5", Dialect.CHAT),
        (LISTED, "anthropic/Kimi-K2.5", "engine", "Kimi-K2.5", Dialect.CHAT),
        # An alias of the default provider's own model stays with it, whoever else lists that name.
        (LISTED, "claude-opus-4-5", "anthropic", None, None),
        (LISTED, "claude-3-mini", "engine", "claude-3-mini", Dialect.CHAT),
        (LISTED, "claude-unheard-of", "anthropic", None, None),
        (LISTED, None, "anthropic", None, None),
    ],
)
def test_where_a_name_leads(
    catalogue: Catalogue, model: str | None, provider: str, asked: str | None, speaks: Dialect | None
) -> None:
    plan = find_plan(SNAPSHOT, catalogue, Question(Dialect.ANTHROPIC, model), cast("Live", None))
    (target,) = plan.targets
    assert (target.provider.name, target.speaks) == (provider, speaks)
    assert target.model in (asked, None if asked == model else asked)


def test_the_nearest_names_are_told_where_any_are_known() -> None:
    assert "Kimi-K2.5" in nearest_models(SNAPSHOT, LISTED, "kimi-k2")
    assert "Fast" in nearest_models(SNAPSHOT, NOTHING, "fasd")
    assert "/v1/models" in nearest_models(SNAPSHOT, NOTHING, "zzzzzz")


def test_a_plan_without_a_route_is_made_once_and_only_for_whom_nothing_else_decides() -> None:
    snapshot = replace(SNAPSHOT, version=2)
    free, bound = Caller("free"), Caller("bound", providers=frozenset({"mirror"}))

    def plan(model: str, caller: Caller | None, catalogue: Catalogue = UNLISTED) -> Plan:
        return find_plan(snapshot, catalogue, Question(Dialect.ANTHROPIC, model, caller), cast(Live, None))

    first = plan("unknown", None)
    assert [target.provider.name for target in first.targets] == ["anthropic"]
    assert plan("unknown", free) is first
    assert plan("unknown", bound).targets == (), "the default provider is none of its own"
    assert plan("FAST", None).route is not None
    assert {(dialect, model) for dialect, model, _ in snapshot.plans} == {(Dialect.ANTHROPIC, "unknown")}
    listed = plan("unknown", None, LISTED)
    assert listed is not first, "what providers list may change at any time"
    assert plan("unknown", None, LISTED) is listed
    assert plan("unknown", None, replace(LISTED)) is not listed
    for number in range(2 * MOST_REMEMBERED):
        plan(f"unknown-{number}", None)
    assert len(snapshot.plans) <= MOST_REMEMBERED


def test_a_plan_by_a_route_is_made_once_unless_its_strategy_decides_anew() -> None:
    others = (TargetEntry("mirror"),)
    kept = RouteEntry("kept", "anthropic", "", name="kept", targets=others)
    turns = RouteEntry("turns", "anthropic", "", name="turns", targets=others, strategy=Strategy.ROUND_ROBIN)
    told = RouteEntry("kept", "mirror", "", name="told", conditions=Conditions(keys=frozenset({"told"})))
    snapshot = replace(SNAPSHOT, version=3, exact_routes={"kept": kept, "turns": turns}, conditional_routes=(told,))

    def plan(model: str, caller: Caller | None) -> Plan:
        return find_plan(snapshot, NOTHING, Question(Dialect.ANTHROPIC, model, caller), Still())

    first = plan("kept", None)
    assert [target.provider.name for target in first.targets] == ["anthropic", "mirror"]
    assert plan("kept", Caller("free")) is first
    assert plan("kept", Caller("told")).route is told
    assert plan("kept", Caller("bound", providers=frozenset({"mirror"}))).left_out
    assert plan("turns", None) is not plan("turns", None)
    assert plan("unknown", None) is not plan("unknown", None), "a route with conditions may fit what is meant"
