"""Where a request leads: an ordered list of targets, and why. Pure; what is going on right now comes in as `Live`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from gateway.dialects.codecs import CODECS
from gateway.dialects.names import Dialect, ProviderDialect, provider_dialect
from gateway.policy.access import DEFAULT_PROVIDERS
from gateway.policy.catalogue import Catalogue
from gateway.policy.conditional_routes import ConditionalRoutes
from gateway.policy.patterns import fits, pattern
from gateway.policy.snapshot import Caller, Candidates, ProviderEntry, RouteEntry, Snapshot, TargetEntry
from gateway.policy.strategies import Scenario, Strategy

NO_SCENARIOS: frozenset[Scenario] = frozenset()
DEFAULT_FALLBACK = frozenset({"429", "5xx", "connect", "timeout", "broken"})
MOST_REMEMBERED = 1000
LONGEST_REMEMBERED = 200
NO_ROUTE = "no route fits: the default provider"


@dataclass(frozen=True, slots=True)
class Question:
    """What of a request decides where it goes. Header names in lower case. `label`: the NAME of a path below /t/NAME/.
    `scenarios`: those of the snapshot's that it belongs to, long context aside."""

    dialect: Dialect
    model: str | None
    caller: Caller | None = None
    label: str = ""
    headers: Sequence[tuple[bytes, bytes]] = ()
    body_bytes: int = 0
    scenarios: frozenset[Scenario] = NO_SCENARIOS


class Live(Protocol):
    """What the strategies ask of the running process."""

    def turn(self, route: str) -> int:
        """How often the route was taken before."""

    def chance(self) -> float:
        """Random in [0, 1)."""

    def in_flight(self, provider: str, model: str) -> int: ...

    def first_byte(self, provider: str, model: str) -> float | None:
        """Seconds, of late; None: not known."""


class Still:
    """Nothing is going on: for a look at what would be."""

    def turn(self, route: str) -> int:
        return 0

    def chance(self) -> float:
        return 0.0

    def in_flight(self, provider: str, model: str) -> int:
        return 0

    def first_byte(self, provider: str, model: str) -> float | None:
        return None


@dataclass(frozen=True, slots=True)
class Target:
    provider: ProviderEntry
    model: str | None
    """The model to ask for when it is another than the caller's; None keeps the caller's bytes."""
    speaks: Dialect | None = None
    """The dialect to translate into; None: the provider speaks the caller's, and its bytes are relayed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Targets in the order they are tried; empty when all were left out. `reason` and `left_out` are for people."""

    targets: tuple[Target, ...]
    route: RouteEntry | None = None
    reason: str = ""
    left_out: tuple[str, ...] = ()
    untranslatable: ProviderEntry | None = None
    """One that was left out because it speaks another API."""

    def only(self, targets: tuple[Target, ...]) -> Plan:
        return replace(self, targets=targets)

    @property
    def fallback_on(self) -> frozenset[str]:
        return (self.route.fallback_on if self.route else None) or DEFAULT_FALLBACK


def plan_route(snapshot: Snapshot, question: Question, live: Live) -> Plan:
    """The route of the model, else the provider that its name names, else the default provider of the dialect."""
    return plan_by(snapshot, question, find_route(snapshot, question), live)


def plan_by(snapshot: Snapshot, question: Question, route: RouteEntry | None, live: Live) -> Plan:
    """The plan when it is known which route fits."""
    if route is None:
        return plan_without_route(snapshot, question)
    entries = order(route, live) if route.targets else route.all_targets
    return fit_plan(snapshot, question, entries, route)


def remembered_plan(
    snapshot: Snapshot, catalogue: Catalogue, question: Question, route: RouteEntry | None, make: Callable[[], Plan]
) -> Plan:
    """What `make` gives; `route` is the one that fits. For callers who may go anywhere it is the same until the
    configuration or a listing changes, but where a strategy decides anew each time, and where no route fits the name
    and one with conditions may fit what is meant by it."""
    caller, model = question.caller, question.model or ""
    if (caller is not None and (caller.providers or caller.region)) or not is_steady(snapshot, route):
        return make()
    key = (question.dialect, model, id(route))  # routes live as long as the snapshot
    known = snapshot.plans.get(key)
    if known is not None and known[0] is catalogue:
        return known[1]
    plan = make()
    if plan.route is route and len(model) <= LONGEST_REMEMBERED:
        if len(snapshot.plans) >= MOST_REMEMBERED:
            snapshot.plans.clear()
        snapshot.plans[key] = (catalogue, plan)
    return plan


def is_steady(snapshot: Snapshot, route: RouteEntry | None) -> bool:
    if route is None:
        return not snapshot.conditional_routes
    return not route.targets or route.strategy is Strategy.IN_ORDER


def plan_without_route(snapshot: Snapshot, question: Question) -> Plan:
    name, separator, model = (question.model or "").partition(",")
    if separator and name in snapshot.providers and model:
        return fit_plan(snapshot, question, (TargetEntry(name, model),), None, "the model's name names the provider")
    default = DEFAULT_PROVIDERS[provider_dialect(question.dialect)]
    return fit_plan(snapshot, question, (TargetEntry(default),), None, NO_ROUTE)


def fit_plan(
    snapshot: Snapshot,
    question: Question,
    entries: Sequence[TargetEntry],
    route: RouteEntry | None,
    reason: str = "",
) -> Plan:
    """Leave out what the caller or its API cannot reach; nearest regions first."""
    caller = question.caller
    targets: list[Target] = []
    left_out: list[str] = []
    untranslatable: ProviderEntry | None = None
    for entry in entries:
        provider = snapshot.providers[entry.provider]
        if caller is not None and caller.providers and provider.name not in caller.providers:
            left_out.append(f"{provider.name}: the key {caller.name} may not reach it")
            continue
        spoken = spoken_dialect(provider, question.dialect) if route or reason != NO_ROUTE else question.dialect
        if spoken is None:
            untranslatable = provider
            left_out.append(f"{provider.name}: it speaks {provider.dialect.value}")
            continue
        model = entry.model if entry.model and entry.model != question.model else None
        targets.append(Target(provider, model, None if spoken is question.dialect else spoken))
    if caller is not None and caller.region:
        targets = by_region(snapshot, caller.region, targets, left_out)
    why = reason or (f"route {route.name or route.match}" if route else "")
    return Plan(tuple(targets), route, why, tuple(left_out), untranslatable)


def spoken_dialect(provider: ProviderEntry, dialect: Dialect) -> Dialect | None:
    """What to say a request of `dialect` in: itself where the provider knows it; None where there is no way."""
    if provider.dialect is ProviderDialect.ANTHROPIC:
        return Dialect.ANTHROPIC if dialect in CODECS else None
    if dialect in provider.profile.apis or dialect is Dialect.OPENAI:
        return dialect
    known = (Dialect(api) for api in provider.profile.apis)
    return next((spoken for spoken in known if spoken in CODECS), None) if dialect in CODECS else None


def by_region(snapshot: Snapshot, region: str, targets: list[Target], left_out: list[str]) -> list[Target]:
    """Those of the caller's region, then those of its fallback regions, then those of none; others not at all."""
    ranks = {name: rank for rank, name in enumerate((region, *snapshot.region_fallbacks.get(region, ())))}
    ranks[""] = len(ranks)
    near = [target for target in targets if target.provider.region in ranks]
    left_out += [
        f"{target.provider.name}: its region {target.provider.region} is not for callers of {region}"
        for target in targets
        if target.provider.region not in ranks
    ]
    return sorted(near, key=lambda target: ranks[target.provider.region])


def find_route(snapshot: Snapshot, question: Question) -> RouteEntry | None:
    """One with conditions, where they hold, goes before one without; an exact name before a pattern."""
    model = question.model
    if model is None:
        return None
    found = snapshot.candidates.get(model) or remember_candidates(snapshot, model)
    if found.conditional is not None and (route := found.conditional.find(question)) is not None:
        return route
    return found.plain


def remember_candidates(snapshot: Snapshot, model: str) -> Candidates:
    """Callers name what they like: only so many names are remembered, and none that is long."""
    found = find_candidates(snapshot, model)
    if len(model) <= LONGEST_REMEMBERED:
        if len(snapshot.candidates) >= MOST_REMEMBERED:
            snapshot.candidates.clear()
        snapshot.candidates[model] = found
    return found


def find_candidates(snapshot: Snapshot, model: str) -> Candidates:
    conditional = tuple(route for route in snapshot.conditional_routes if fits(route.match, model))
    plain = snapshot.exact_routes.get(model)
    if plain is None:
        plain = next((route for route in snapshot.pattern_routes if pattern(route.match).fullmatch(model)), None)
    return Candidates(ConditionalRoutes(conditional) if conditional else None, plain)


def order(route: RouteEntry, live: Live) -> Sequence[TargetEntry]:
    """The targets as the route's strategy wants them tried."""
    targets = route.all_targets
    strategy = route.strategy
    if strategy is Strategy.ROUND_ROBIN:
        first = live.turn(route.name) % len(targets)
        return targets[first:] + targets[:first]
    if strategy is Strategy.WEIGHTED:
        return weighted(targets, live.chance())
    if strategy is Strategy.LEAST_IN_FLIGHT:
        return sorted(targets, key=lambda target: live.in_flight(target.provider, target.model))
    if strategy is Strategy.FASTEST:
        return sorted(targets, key=lambda target: live.first_byte(target.provider, target.model) or 0.0)
    if strategy is Strategy.CHEAPEST:
        return sorted(targets, key=lambda target: float("inf") if target.price is None else target.price)
    return targets


def weighted(targets: Sequence[TargetEntry], chance: float) -> Sequence[TargetEntry]:
    """One by its weight goes first, the others follow as they stand."""
    mark = chance * sum(target.weight for target in targets)
    for number, target in enumerate(targets):
        mark -= target.weight
        if mark < 0:
            return (target, *targets[:number], *targets[number + 1 :])
    return targets
