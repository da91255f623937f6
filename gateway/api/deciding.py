"""What is decided of a request before its provider is contacted: access, then where it leads. Raises Refusal.

The order is that of what it costs: access by the headers, the body, the model, the route, the credentials, then limits
and budgets, which count by where the request leads, too.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from gateway.api.answer_cache import look_up
from gateway.api.content import check_content
from gateway.api.errands import admit_errand, errand_of, errand_target, errand_treatment
from gateway.api.facts import NO_ENVELOPE, Facts
from gateway.api.keeping import continue_conversation, told_in_full
from gateway.api.limiting import limit
from gateway.api.model_names import find_plan
from gateway.api.own_ways import own_way
from gateway.api.plain_body import needed, plain_body
from gateway.api.refusals import Refusal, check_room, read_or_refuse, unavailable
from gateway.api.translating import PATHS
from gateway.dialects.demotion import DEMOTED, demote
from gateway.dialects.failures import ErrorKind
from gateway.dialects.request_facts import Envelope, read_envelope
from gateway.dialects.request_marks import read_marks
from gateway.policy.access import Admitted, Denied, Presented, admit, check_model, treat_credentials
from gateway.policy.routing import NO_SCENARIOS, Plan, Question, Target
from gateway.policy.signing import SIGNATURE, check_signature
from gateway.policy.snapshot import Snapshot, ValidationBounds
from gateway.policy.strategies import Scenario
from gateway.policy.validation import find_invalid

if TYPE_CHECKING:
    from gateway.api.request import GatewayRequest

BY_BODY = frozenset({Scenario.WEB_SEARCH, Scenario.IMAGE, Scenario.SUBAGENT})

log = structlog.get_logger(__name__)


async def decide(request: GatewayRequest, facts: Facts) -> None:
    """Fill in the facts; raises Refusal."""
    snapshot = request.runtime.configuration.current
    if snapshot is None:
        raise unavailable("The gateway is starting and has not read its configuration yet. Try again.", 1)
    if snapshot is not request.runtime.obeyed:
        request.runtime.obey(snapshot)
    facts.errand = errand_of(request, facts.presented)
    found = facts.errand
    facts.admitted = admit_errand(found) if found else check_access(request, facts.presented, snapshot)
    check_room(request)
    facts.body = await read_or_refuse(request)
    facts.body_bytes = len(facts.body)
    if facts.errand is not None and not facts.errand.follows_routes:
        facts.plan = Plan((errand_target(request, facts.errand, snapshot),), reason="an errand of Turnlog's own")
        facts.treatments.append(errand_treatment(facts.errand, facts.presented, facts.plan.targets[0].provider))
        return
    facts.header_rules = snapshot.header_rules
    check_signed(request, facts)
    facts.plain = await plain_body(request, facts.body)
    facts.envelope = envelope_of(request, facts.plain)
    refuse_if(check_model(facts.caller, facts.envelope.model))
    if snapshot.validation is not None:
        check_bounds(request, facts, snapshot.validation)
    if snapshot.refusing is not None:
        check_content(request, facts, snapshot.refusing)
    question = question_of(request, facts, snapshot)
    facts.plan = find_plan(snapshot, request.runtime.discovery.catalogue, question, request.runtime.fleet.figures)
    if not facts.plan.targets:
        raise no_target(request, facts, facts.plan)
    own = own_way(request, facts.plan, facts.plain)
    if own is not None:
        facts.handling, facts.own = own
        return
    facts.plan = treat(snapshot, facts, facts.plan)
    if await is_answered_before(request, facts, snapshot):
        return
    await prepare(request, facts)
    if facts.is_debugged:
        tell(request, facts)


async def is_answered_before(request: GatewayRequest, facts: Facts, snapshot: Snapshot) -> bool:
    """Whether a kept answer will do; if not, what is limited of the request is held. Raises Refusal."""
    if snapshot.caching is not None:
        found = await look_up(request, facts, snapshot.caching)
        if found is not None:
            facts.handling, facts.own = found
            return True
    if snapshot.rulebook is not None:
        limit(request, facts, snapshot.rulebook)
    return False


async def prepare(request: GatewayRequest, facts: Facts) -> None:
    """What the targets have in common: the conversation that is continued, the demotion."""
    plan = facts.plan
    if any(target.speaks is not None for target in plan.targets):
        needful = needed(request, facts.plain)
        facts.continued, facts.keeping = await continue_conversation(request, facts, needful)
    if facts.envelope.previous_response and any(target.speaks is None for target in plan.targets):
        facts.changes += await told_in_full(request, facts, facts.envelope.previous_response)
    route = plan.route
    if route is not None and route.demote:
        note_demotion(request, facts)


def note_demotion(request: GatewayRequest, facts: Facts) -> None:
    """A whole answer is asked for as a stream: of a relay by bytes that are replaced, of a translation by its words."""
    if facts.plan.targets[0].speaks is not None:
        facts.handling = facts.handling if facts.envelope.stream else DEMOTED
    elif facts.plain and request.path == PATHS.get(request.dialect):
        demoted = demote(request.dialect, facts.plain)
        if demoted is not None:
            facts.handling = DEMOTED
            facts.changes += demoted[1]


def check_access(request: GatewayRequest, presented: Presented, snapshot: Snapshot) -> Admitted:
    admitted = admit(
        snapshot, presented, request.runtime.access_pepper, time.time(), request.client_address, request.dialect
    )
    if isinstance(admitted, Denied):
        raise Refusal(admitted.kind, admitted.message)
    return admitted


def refuse_if(denied: Denied | None) -> None:
    if denied is not None:
        raise Refusal(denied.kind, denied.message)


def check_bounds(request: GatewayRequest, facts: Facts, bounds: ValidationBounds) -> None:
    invalid = find_invalid(request.dialect, request.path, facts.plain, bounds) if facts.plain else None
    if invalid is not None:
        raise Refusal(invalid.kind, f"{invalid.code}: {invalid.message}")


def check_signed(request: GatewayRequest, facts: Facts) -> None:
    """A key with a signing secret opens for signed requests only, each of them once."""
    caller = facts.caller
    if caller is None or caller.signing_secret is None:
        return
    value = (request.header(SIGNATURE) or b"").strip()
    whole_target = request.sent_target
    now = time.time()
    problem = check_signature(caller.signing_secret, value, request.method, whole_target, facts.body, now)
    if problem is None and not request.runtime.signatures.is_new(value, now):
        problem = "it was used before"
    if problem is not None:
        raise Refusal(
            ErrorKind.AUTHENTICATION,
            f"The key {caller.name} opens for signed requests only, and the signature does not do: {problem}. "
            "docs/configuration.md shows how x-turnlog-signature is made.",
        )


def envelope_of(request: GatewayRequest, plain: bytes | None) -> Envelope:
    """What the body says of model and streaming; nothing when it cannot be decoded, is a form or empty."""
    return read_envelope(plain) if plain and is_json(request) else NO_ENVELOPE


def is_json(request: GatewayRequest) -> bool:
    content_type = request.header(b"content-type")
    return content_type is None or b"json" in content_type.lower()


def question_of(request: GatewayRequest, facts: Facts, snapshot: Snapshot) -> Question:
    scenarios = scenarios_of(request, facts, snapshot) if snapshot.scenarios else NO_SCENARIOS
    return Question(
        request.dialect,
        facts.envelope.model,
        facts.caller,
        request.label,
        request.pairs,
        facts.body_bytes,
        scenarios,
    )


def scenarios_of(request: GatewayRequest, facts: Facts, snapshot: Snapshot) -> frozenset[Scenario]:
    """Those of the ones routes ask for that the request belongs to."""
    found = {Scenario.THINK} if facts.envelope.has_thinking else set()
    if facts.agent(request):
        found.add(Scenario.SUBAGENT)
    if snapshot.scenarios & BY_BODY and facts.plain and is_json(request):
        marks = read_marks(facts.plain)
        found |= {Scenario.WEB_SEARCH} if marks.offers_web_search else set()
        found |= {Scenario.IMAGE} if marks.ends_with_image else set()
        found |= {Scenario.SUBAGENT} if marks.is_tagged_subagent else set()
    return frozenset(found)


def treat(snapshot: Snapshot, facts: Facts, plan: Plan) -> Plan:
    """The plan without the targets that have no credential to see; a Refusal when none is left."""
    assert facts.admitted is not None
    kept: list[Target] = []
    denied: Denied | None = None
    for target in plan.targets:
        # A caller's credential never crosses dialects, whoever it was issued by.
        admitted = facts.admitted if target.speaks is None else replace(facts.admitted, own_passes=False)
        treatment = treat_credentials(snapshot, admitted, facts.presented, target.provider)
        if isinstance(treatment, Denied):
            denied = denied or treatment
        else:
            kept.append(target)
            facts.treatments.append(treatment)
    if denied is not None and not kept:
        raise Refusal(denied.kind, denied.message)
    return plan if denied is None else plan.only(tuple(kept))


def no_target(request: GatewayRequest, facts: Facts, plan: Plan) -> Refusal:
    model = facts.envelope.model
    provider = plan.untranslatable
    if provider is not None:
        return Refusal(
            ErrorKind.NOT_SUPPORTED,
            f"The route of the model {model} leads to the provider {provider.name}, which speaks the "
            f"{provider.dialect.value} API; this request speaks {request.dialect.value}, and translating "
            "between them is not supported yet. Ask for another model, or call that provider's API.",
        )
    reasons = "; ".join(plan.left_out)
    return Refusal(ErrorKind.PERMISSION, f"No provider may take this request for {model}: {reasons}.")


def tell(request: GatewayRequest, facts: Facts) -> None:
    plan = facts.plan
    log.info(
        "decided",
        request_id=request.id_text,
        key=facts.caller.name if facts.caller else None,
        model=facts.envelope.model,
        reason=plan.reason,
        targets=[f"{target.provider.name}/{target.model or '(as asked)'}" for target in plan.targets],
        left_out=list(plan.left_out),
    )
