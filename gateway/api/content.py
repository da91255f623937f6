"""A request that says what a rule does not let out is refused before anybody outside sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.api.refusals import Refusal
from gateway.dialects.failures import ErrorKind
from gateway.dialects.said_text import newest_text
from gateway.policy.content_rules import RefusingRules, refusal_sentence

if TYPE_CHECKING:
    from gateway.api.facts import Facts
    from gateway.api.request import GatewayRequest

LOOKED_AT = 200_000
"""Characters of a request's newest text that are looked at: RE2 takes less than a millisecond for them."""


def check_content(request: GatewayRequest, facts: Facts, refusing: RefusingRules) -> None:
    """Raises Refusal."""
    caller = facts.caller
    team = (caller.team if caller is not None else "") or request.label
    rules = refusing.about(team, caller.name if caller is not None else "", facts.envelope.model or "")
    if not rules or not facts.plain:
        return
    text = newest_text(facts.plain, LOOKED_AT)
    for rule in rules:
        if text and rule.is_in(text):
            raise Refusal(ErrorKind.INVALID_REQUEST, refusal_sentence(rule))
