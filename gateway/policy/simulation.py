"""Where a request would go, told for people."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from gateway.dialects.request_facts import read_envelope
from gateway.dialects.request_marks import read_marks
from gateway.policy.access import Admitted, Denied, Presented, check_model, treat_credentials
from gateway.policy.routing import Live, Plan, Question, plan_route
from gateway.policy.snapshot import Snapshot
from gateway.policy.strategies import Scenario


@dataclass(frozen=True, slots=True)
class Simulated:
    """`targets`: "provider/model" each, with what is to be known of it. `refusal`: what the caller would be told."""

    reason: str
    targets: tuple[str, ...]
    left_out: tuple[str, ...]
    scenarios: tuple[str, ...]
    refusal: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def simulate(snapshot: Snapshot, question: Question, live: Live, body: bytes = b"") -> Simulated:
    question = replace(question, scenarios=question.scenarios | scenarios_in(body))
    seen = tuple(sorted(question.scenarios))
    denied = check_model(question.caller, question.model)
    if denied is not None:
        return Simulated("", (), (), seen, denied.message)
    plan = plan_route(snapshot, question, live)
    targets: list[str] = []
    left_out = list(plan.left_out)
    refusal = ""
    for target in plan.targets:
        admitted = Admitted(question.caller, own_passes=question.caller is None and not snapshot.keyed)
        treatment = treat_credentials(snapshot, admitted, Presented(), target.provider)
        if isinstance(treatment, Denied):
            refusal = refusal or treatment.message
            left_out.append(f"{target.provider.name}: {treatment.message}")
        else:
            targets.append(
                f"{target.provider.name}/{target.model or question.model or ''} at {target.provider.address}"
            )
    return Simulated(told_reason(plan), tuple(targets), tuple(left_out), seen, refusal)


def told_reason(plan: Plan) -> str:
    route = plan.route
    if route is None or not route.targets:
        return plan.reason
    return f"{plan.reason}, {len(route.all_targets)} targets {route.strategy.value.replace('_', ' ')}"


def scenarios_in(body: bytes) -> frozenset[Scenario]:
    """What the body itself tells; long context and background are seen by size and model."""
    if not body:
        return frozenset()
    marks = read_marks(body)
    found = {
        Scenario.THINK: read_envelope(body).has_thinking,
        Scenario.WEB_SEARCH: marks.offers_web_search,
        Scenario.IMAGE: marks.ends_with_image,
        Scenario.SUBAGENT: marks.is_tagged_subagent,
    }
    return frozenset(scenario for scenario, holds in found.items() if holds)
