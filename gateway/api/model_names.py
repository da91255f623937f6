"""What a caller means by a model's name, and where a model that no route names is offered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway.api.refusals import Refusal
from gateway.dialects.failures import ErrorKind
from gateway.dialects.names import Dialect
from gateway.policy.catalogue import Catalogue, picked_name
from gateway.policy.routing import (
    Live,
    Plan,
    Question,
    Target,
    find_route,
    plan_by,
    plan_route,
    remembered_plan,
    spoken_dialect,
)
from gateway.policy.snapshot import RouteEntry, Snapshot


def find_plan(snapshot: Snapshot, catalogue: Catalogue, question: Question, live: Live) -> Plan:
    """As `plan_route`, knowing what the providers list. A model that is not listed is asked for all the same: lists
    leave aliases out."""
    if question.model is None:
        return plan_route(snapshot, question, live)
    route = find_route(snapshot, question)
    return remembered_plan(
        snapshot, catalogue, question, route, lambda: plan_named(snapshot, catalogue, question, route, live)
    )


def plan_named(
    snapshot: Snapshot, catalogue: Catalogue, question: Question, route: RouteEntry | None, live: Live
) -> Plan:
    """The plan for the model a caller means; `route` is the one that fits its name as it stands."""
    meant, model = question, question.model or ""
    if route is None and (name := meant_model(snapshot, catalogue, question, model)) != model:
        meant = replace(question, model=name)
        route = find_route(snapshot, meant)
    plan = plan_by(snapshot, meant, route, live)
    if route is None and len(plan.targets) == 1:
        plan = offered_elsewhere(snapshot, catalogue, meant, plan)
    if not catalogue.listings and meant is question:
        return plan
    return settled(catalogue, model, meant.model or "", plan)


def meant_model(snapshot: Snapshot, catalogue: Catalogue, question: Question, model: str) -> str:
    """The name a route or a listing has for one that no route fits: whatever its case, and without the prefix it was
    shown to Claude Code behind. A name nobody knows stays as it is."""
    bare = picked_name(model) if question.dialect is Dialect.ANTHROPIC else model
    is_known = bare != model and (
        find_route(snapshot, replace(question, model=bare)) is not None or catalogue.provider_of(bare) is not None
    )
    if is_known:
        model = bare
    return folded_routes(snapshot).get(model.casefold(), model)


_folded: tuple[Mapping[str, Any], dict[str, str]] = ({}, {})


def folded_routes(snapshot: Snapshot) -> dict[str, str]:
    """The exact routes' names by what they are whatever their case; made once for each snapshot."""
    global _folded
    if _folded[0] is not snapshot.exact_routes:
        _folded = (snapshot.exact_routes, {name.casefold(): name for name in snapshot.exact_routes})
    return _folded[1]


def offered_elsewhere(snapshot: Snapshot, catalogue: Catalogue, question: Question, plan: Plan) -> Plan:
    """Another provider that lists the model, when the default one lists its own and this is none of them."""
    default, model, caller = plan.targets[0].provider, question.model or "", question.caller
    if plan.targets[0].model is not None or not catalogue.lacks(default.name, model):
        return plan
    name = catalogue.provider_of(model)
    provider = snapshot.providers.get(name) if name is not None else None
    if provider is None or (caller is not None and caller.providers and provider.name not in caller.providers):
        return plan
    spoken = spoken_dialect(provider, question.dialect)
    if spoken is None:
        return plan
    return plan.only((Target(provider, None, None if spoken is question.dialect else spoken),))


def settled(catalogue: Catalogue, asked: str, meant: str, plan: Plan) -> Plan:
    """The targets with the model under the name its provider has for it."""
    return plan.only(tuple(settled_target(catalogue, asked, meant, target) for target in plan.targets))


def settled_target(catalogue: Catalogue, asked: str, meant: str, target: Target) -> Target:
    wanted = target.model or meant
    listed = catalogue.find(target.provider.name, wanted)
    name = listed.id if listed is not None else wanted
    return target if name == (target.model or asked) else replace(target, model=name)


def unknown_model(snapshot: Snapshot, catalogue: Catalogue, name: str) -> Refusal:
    return Refusal(
        ErrorKind.NOT_FOUND,
        f"model: {name} is not known to any provider of this gateway. {nearest_models(snapshot, catalogue, name)}",
    )


def nearest_models(snapshot: Snapshot, catalogue: Catalogue, name: str) -> str:
    """A sentence with the names most like one that was not found."""
    nearest = catalogue.nearest(name, snapshot.exact_routes)
    return f"The nearest are: {', '.join(nearest)}." if nearest else "GET /v1/models lists those there are."
