"""Which provider and model a request leads to."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.names import Dialect, ProviderDialect
from gateway.dialects.profiles import PROFILES
from gateway.policy.conditional_routes import ConditionalRoutes, holds_for, is_for, narrow
from gateway.policy.routing import MOST_REMEMBERED, Plan, Question, Still, Target, find_route, order, plan_route
from gateway.policy.snapshot import Caller, Conditions, ProviderEntry, RouteEntry, Snapshot, TargetEntry
from gateway.policy.strategies import Scenario, Strategy

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
    "an exact name with a model": (Dialect.ANTHROPIC, "fast", Target(MIRROR, "claude-haiku-4-5")),
    "a pattern that keeps the model": (Dialect.ANTHROPIC, "claude-opus-4-5", Target(MIRROR, None)),
    "the first pattern that fits wins": (Dialect.ANTHROPIC, "claude-opus-x", Target(MIRROR, None)),
    "a later pattern": (Dialect.ANTHROPIC, "claude-haiku-4", Target(MIRROR, "claude-sonnet-4-5")),
    "the same model is no change": (Dialect.ANTHROPIC, "claude-sonnet-4-5", Target(MIRROR, None)),
    "a question mark stands for one character": (Dialect.CHAT, "gpt-4", Target(OPENAI, "gpt-5.5")),
    "and not for two": (Dialect.CHAT, "gpt-44", Target(OPENAI, None)),
    "brackets stand for themselves": (Dialect.ANTHROPIC, "odd[1]x", Target(MIRROR, None)),
    "brackets are no set": (Dialect.ANTHROPIC, "odd1x", Target(ANTHROPIC, None)),
    "no route": (Dialect.ANTHROPIC, "other", Target(ANTHROPIC, None)),
    "no route, chat": (Dialect.CHAT, "other", Target(OPENAI, None)),
    "no model": (Dialect.RESPONSES, None, Target(OPENAI, None)),
    "letters of another case": (Dialect.ANTHROPIC, "CLAUDE-OPUS-1", Target(ANTHROPIC, None)),
    "a route to the other API": (Dialect.CHAT, "claude-opus-4-5", Target(MIRROR, None, Dialect.ANTHROPIC)),
    "a route to an engine": (Dialect.ANTHROPIC, "qwen", Target(ENGINE, "qwen3", Dialect.CHAT)),
    "what is no conversation": (Dialect.OPENAI, "claude-opus-4-5", None),
}


@pytest.mark.parametrize(("dialect", "model", "expected"), CASES.values(), ids=CASES)
def test_destination(dialect: Dialect, model: str | None, expected: object) -> None:
    plan = plan_route(SNAPSHOT, Question(dialect, model), Still())
    assert plan.targets == (() if expected is None else (expected,))
    assert plan.untranslatable is (MIRROR if expected is None else None)


def test_a_hostile_model_name_costs_no_time() -> None:
    snapshot = Snapshot(1, False, {}, pattern_routes=(RouteEntry("*a*a*a*a*a*a*b", "x", ""),))
    began = time.perf_counter()
    assert find_route(snapshot, Question(Dialect.CHAT, "a" * 20_000)) is None
    assert time.perf_counter() - began < 1


def test_many_patterns_are_looked_through_once_for_a_name() -> None:
    routes = tuple(RouteEntry(f"model-{number}-*", "x", "") for number in range(2_000))
    snapshot = Snapshot(1, False, {}, pattern_routes=routes, conditional_routes=CONDITIONAL)
    for name in ("model-1999-x", "nothing"):
        first = find_route(snapshot, Question(Dialect.CHAT, name))
        assert first is (routes[-1] if name.startswith("model") else None)
        began = time.perf_counter()
        assert all(find_route(snapshot, Question(Dialect.CHAT, name)) is first for _ in range(200))
        assert time.perf_counter() - began < 0.05
    assert find_route(snapshot, Question(Dialect.CHAT, "model-1999-x", Caller("ci"))) is CONDITIONAL[0]


CONDITIONAL = (RouteEntry("model-*", "x", "", conditions=Conditions(keys=frozenset({"ci"}))),)


def test_the_names_that_callers_make_up_fill_no_memory() -> None:
    snapshot = Snapshot(1, False, {}, pattern_routes=(RouteEntry("claude-*", "x", ""),))
    for number in range(3 * MOST_REMEMBERED):
        assert find_route(snapshot, Question(Dialect.CHAT, f"claude-{number}")) is not None
    assert find_route(snapshot, Question(Dialect.CHAT, "claude-" + "x" * 20_000)) is not None
    assert 0 < len(snapshot.candidates) <= MOST_REMEMBERED
    assert max(map(len, snapshot.candidates)) < 100
    assert not replace(snapshot, version=2, pattern_routes=()).candidates


LOCAL = ProviderEntry("local", ProviderDialect.ANTHROPIC, "http://127.0.0.1:1", region="eu")
AMERICAN = ProviderEntry("american", ProviderDialect.ANTHROPIC, "https://us.example", region="us")
CALLER = Caller("ci", "search")


def routed(*routes: RouteEntry, question: Question, **snapshot: Any) -> Plan:
    """The plan over conditional routes."""
    entries = (ANTHROPIC, OPENAI, MIRROR, LOCAL, AMERICAN)
    whole = Snapshot(1, True, {e.name: e for e in entries}, conditional_routes=routes, **snapshot)
    return plan_route(whole, question, Still())


def ask(model: str | None = "claude-opus-4-5", **facts: Any) -> Question:
    return Question(Dialect.ANTHROPIC, model, **facts)


HOLDS = {
    "the scenario": (Conditions(scenario=Scenario.THINK), ask(scenarios=frozenset({Scenario.THINK}))),
    "background": (Conditions(scenario=Scenario.BACKGROUND), ask("claude-haiku-4-5")),
    "long context": (Conditions(scenario=Scenario.LONG_CONTEXT, min_tokens=100), ask(body_bytes=400)),
    "the key": (Conditions(keys=frozenset({"ci"})), ask(caller=CALLER)),
    "the team": (Conditions(teams=frozenset({"search"})), ask(caller=CALLER)),
    "the name in the path": (Conditions(teams=frozenset({"web"})), ask(label="web")),
    "a header": (Conditions(headers=((b"x-project", "web-*"),)), ask(headers=[(b"x-project", b"web-1")])),
    "the dialect": (Conditions(dialects=frozenset({Dialect.ANTHROPIC})), ask()),
    "the size": (Conditions(min_bytes=10, max_bytes=20), ask(body_bytes=20)),
}
FAILS = {
    "another scenario": (Conditions(scenario=Scenario.THINK), ask(scenarios=frozenset({Scenario.IMAGE}))),
    "no haiku": (Conditions(scenario=Scenario.BACKGROUND), ask()),
    "short context": (Conditions(scenario=Scenario.LONG_CONTEXT, min_tokens=100), ask(body_bytes=399)),
    "another key": (Conditions(keys=frozenset({"ada"})), ask(caller=CALLER)),
    "no key": (Conditions(keys=frozenset({"ada"})), ask()),
    "no team": (Conditions(teams=frozenset({"web"})), ask(caller=CALLER)),
    "another header": (Conditions(headers=((b"x-project", "web-*"),)), ask(headers=[(b"x-project", b"app")])),
    "another dialect": (Conditions(dialects=frozenset({Dialect.CHAT})), ask()),
    "too small": (Conditions(min_bytes=10), ask(body_bytes=9)),
    "too large": (Conditions(max_bytes=10), ask(body_bytes=11)),
    "one of two": (Conditions(min_bytes=10, keys=frozenset({"ci"})), ask(body_bytes=9, caller=CALLER)),
}


@pytest.mark.parametrize(("conditions", "question"), HOLDS.values(), ids=HOLDS)
def test_a_route_is_taken_when_its_conditions_hold(conditions: Conditions, question: Question) -> None:
    plan = routed(RouteEntry("*", "mirror", "", name="special", conditions=conditions), question=question)
    assert [target.provider for target in plan.targets] == [MIRROR]
    assert plan.reason == "route special"


@pytest.mark.parametrize(("conditions", "question"), FAILS.values(), ids=FAILS)
def test_a_route_is_passed_over_when_one_does_not(conditions: Conditions, question: Question) -> None:
    plan = routed(RouteEntry("*", "mirror", "", name="special", conditions=conditions), question=question)
    assert [target.provider for target in plan.targets] == [ANTHROPIC]


def test_a_route_with_conditions_goes_before_an_exact_name_without() -> None:
    plain = RouteEntry("claude-opus-4-5", "local", "")
    special = RouteEntry("claude-*", "mirror", "", conditions=Conditions(min_bytes=1))
    plan = routed(special, question=ask(body_bytes=5), exact_routes={"claude-opus-4-5": plain})
    assert plan.targets[0].provider == MIRROR
    plan = routed(special, question=ask(body_bytes=0), exact_routes={"claude-opus-4-5": plain})
    assert plan.targets[0].provider == LOCAL


THREE = RouteEntry(
    "m", "anthropic", "a", name="r", weight=1, price=3.0,
    targets=(TargetEntry("mirror", "b", 8, 1.0), TargetEntry("local", "c", 1, None)),
)  # fmt: skip


class Busy(Still):
    """In flight and first byte by provider."""

    def __init__(self, chance: float = 0.0, **figures: float) -> None:
        self.drawn = chance
        self.figures = figures
        self.turns = 0

    def turn(self, route: str) -> int:
        self.turns += 1
        return self.turns - 1

    def chance(self) -> float:
        return self.drawn

    def in_flight(self, provider: str, model: str) -> int:
        return int(self.figures.get(provider, 0))

    def first_byte(self, provider: str, model: str) -> float | None:
        return self.figures.get(provider)


ORDERS = {
    "in order": (Strategy.IN_ORDER, Busy(), "abc"),
    "weighted, low": (Strategy.WEIGHTED, Busy(0.05), "abc"),
    "weighted, middle": (Strategy.WEIGHTED, Busy(0.5), "bac"),
    "weighted, high": (Strategy.WEIGHTED, Busy(0.95), "cab"),
    "least in flight": (Strategy.LEAST_IN_FLIGHT, Busy(anthropic=3, mirror=2, local=1), "cba"),
    "fastest": (Strategy.FASTEST, Busy(anthropic=0.5, mirror=0.2, local=0.9), "bac"),
    "fastest, one never tried": (Strategy.FASTEST, Busy(anthropic=0.5, mirror=0.2), "cba"),
    "cheapest": (Strategy.CHEAPEST, Busy(), "bac"),
}


@pytest.mark.parametrize(("strategy", "live", "expected"), ORDERS.values(), ids=ORDERS)
def test_a_strategy_says_who_is_tried_first(strategy: Strategy, live: Busy, expected: str) -> None:
    assert "".join(target.model for target in order(replace(THREE, strategy=strategy), live)) == expected


def test_round_robin_takes_turns() -> None:
    live = Busy()
    route = replace(THREE, strategy=Strategy.ROUND_ROBIN)
    assert ["".join(target.model for target in order(route, live)) for _ in range(4)] == ["abc", "bca", "cab", "abc"]


def test_weights_are_shares() -> None:
    route = replace(THREE, strategy=Strategy.WEIGHTED)
    first = [order(route, Busy(number / 1000))[0].model for number in range(1000)]
    assert (first.count("a"), first.count("b"), first.count("c")) == (100, 800, 100)


def test_a_key_reaches_only_its_providers() -> None:
    route = RouteEntry("m", "mirror", "", name="r", targets=(TargetEntry("local"),))
    caller = replace(CALLER, providers=frozenset({"local"}))
    plan = routed(question=ask("m", caller=caller), exact_routes={"m": route})
    assert [target.provider for target in plan.targets] == [LOCAL]
    assert plan.left_out == ("mirror: the key ci may not reach it",)
    nowhere = routed(question=ask("other", caller=caller))
    assert nowhere.targets == ()


def test_regions_nearest_first_then_the_fallbacks_and_no_others() -> None:
    route = RouteEntry("m", "american", "", name="r", targets=(TargetEntry("mirror"), TargetEntry("local")))
    question = ask("m", caller=replace(CALLER, region="eu"))
    plan = routed(question=question, exact_routes={"m": route})
    assert [target.provider.name for target in plan.targets] == ["local", "mirror"]
    assert "american: its region us is not for callers of eu" in plan.left_out
    plan = routed(question=question, exact_routes={"m": route}, region_fallbacks={"eu": ("us",)})
    assert [target.provider.name for target in plan.targets] == ["local", "american", "mirror"]


def test_a_model_may_name_its_provider() -> None:
    plan = routed(question=ask("mirror,claude-x"))
    assert plan.targets == (Target(MIRROR, "claude-x"),)
    assert routed(question=ask("nobody,claude-x")).targets == (Target(ANTHROPIC, None),)


def test_a_route_leaves_out_the_targets_that_cannot_be_spoken_to() -> None:
    route = RouteEntry("m", "openai", "", name="r", targets=(TargetEntry("mirror"),))
    question = Question(Dialect.OPENAI, "m")
    plan = routed(question=question, exact_routes={"m": route})
    assert [target.provider for target in plan.targets] == [OPENAI]
    assert plan.left_out == ("mirror: it speaks anthropic",)


KEYS = ("ci", "ada", "")
ROUTES = st.lists(
    st.builds(
        Conditions,
        keys=st.sets(st.sampled_from(KEYS[:2])).map(frozenset),
        teams=st.sets(st.sampled_from(["search", "web"])).map(frozenset),
        dialects=st.sets(st.sampled_from([Dialect.ANTHROPIC, Dialect.CHAT])).map(frozenset),
        headers=st.lists(st.tuples(st.just(b"x-p"), st.sampled_from(["a", "b", "a*"])), max_size=2).map(tuple),
        min_bytes=st.sampled_from([None, 5]),
    ),
    max_size=8,
)
QUESTIONS = st.builds(
    Question,
    dialect=st.sampled_from([Dialect.ANTHROPIC, Dialect.CHAT]),
    model=st.just("m"),
    caller=st.sampled_from([None, Caller("ci", "search"), Caller("ada", "web"), Caller("other")]),
    label=st.sampled_from(["", "web"]),
    headers=st.lists(st.tuples(st.sampled_from([b"x-p", b"x-q"]), st.sampled_from([b"a", b"b", b"ab"])), max_size=3),
    body_bytes=st.sampled_from([0, 9]),
)


@given(ROUTES, st.lists(QUESTIONS, min_size=1, max_size=4))
def test_the_index_finds_the_route_that_a_search_one_by_one_finds(
    conditions: list[Conditions], questions: list[Question]
) -> None:
    routes = tuple(RouteEntry("m", "x", "", name=str(n), conditions=each) for n, each in enumerate(conditions))
    index = ConditionalRoutes(routes)
    for question in questions:
        holding = (
            route
            for route, each in zip(routes, conditions, strict=True)
            if is_for(each, question) and holds_for(each, question)
        )
        assert index.find(question) is next(holding, None)


def test_of_many_routes_for_one_name_few_are_tried() -> None:
    by_key = [Conditions(keys=frozenset({f"key-{number}"})) for number in range(500)]
    by_header = [Conditions(headers=((b"x-p", f"p-{number}"),)) for number in range(500)]
    routes = tuple(RouteEntry("m", "x", "", conditions=each) for each in by_key + by_header)
    question = Question(Dialect.CHAT, "m", Caller("key-7"), headers=[(b"x-p", b"p-9"), (b"x-p", b"p-8")])
    narrowed = narrow(routes, question)
    assert [place for place, _ in narrowed.tried] == [7]
    assert narrowed.by_header[b"x-p", b"p-8"] == [(508, routes[508])]
    assert ConditionalRoutes(routes).find(question) is routes[7]
    assert ConditionalRoutes(routes).find(replace(question, caller=Caller("key-x"))) is routes[508]
