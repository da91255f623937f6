"""The rules whose cost is measured are ones that the gateway takes, and do what is said of them."""

from __future__ import annotations

import pytest

from bench.rules import MARK, document
from gateway.configuration.applying import apply_document
from gateway.configuration.document import read_document
from gateway.models import HeaderRule
from gateway.policy.header_rules import Direction, RuleContext
from gateway.policy.header_ways import HeaderRules

REQUEST = [(b"user-agent", b"claude-cli/2"), (b"x-stainless-os", b"Linux"), (b"x-app", b"cli")]


@pytest.mark.django_db
def test_five_of_a_hundred_act_and_the_others_look() -> None:
    apply_document(read_document(document(100, 5, "draft")), {})
    rules = HeaderRules([rule.entry for rule in HeaderRule.objects.all()])
    there, back = rules.ways(RuleContext("anthropic"))
    assert there is not None
    assert back is not None
    answer = [(b"content-type", b"text/plain")]
    deeds = [there.deed(REQUEST), back.deed(answer)]
    assert sum(len(deed.work.fired) for deed in deeds if deed is not None) == 5
    assert (MARK.encode(), b"on") in rules.apply(Direction.RESPONSE, RuleContext("anthropic"), answer)
