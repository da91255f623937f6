"""Header rules on the way of one request: to the provider, and back to the client. Not asked where there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.policy.header_rules import Deed
from gateway.policy.header_ways import HeaderRules, Ways

if TYPE_CHECKING:
    from gateway.api.facts import Facts
    from gateway.api.replies import HeaderPair, Reply
    from gateway.api.request import GatewayRequest
    from gateway.policy.routing import Target
    from gateway.recording.exchange import Exchange


class RulesOnTheWay:
    """Of one try to reach a provider."""

    __slots__ = ("_request", "_ways")

    def __init__(self, request: GatewayRequest, facts: Facts, target: Target, rules: HeaderRules) -> None:
        self._request: Deed | None = None
        self._ways = rules.everyone or self._ways_of(request, facts, target, rules)

    @staticmethod
    def _ways_of(request: GatewayRequest, facts: Facts, target: Target, rules: HeaderRules) -> Ways:
        caller = facts.caller
        team, key = (caller.team, caller.name) if caller else ("", "")
        model = target.model or facts.envelope.model
        return rules.ways(rules.context(target.provider.name, team or request.label, key, model))

    def there(self, exchange: Exchange, pairs: list[HeaderPair]) -> list[HeaderPair]:
        """The request's headers as the provider gets them."""
        way = self._ways.there
        deed = self._request = None if way is None else way.deed(pairs)
        if deed is not None or exchange.ruled:
            # Also when an earlier try's were told and there are none now.
            exchange.header_rules(deed, None)
        return pairs if way is None or deed is None else way.done(pairs, deed)

    def back(self, exchange: Exchange, reply: Reply) -> None:
        """The answer's headers as the client gets them."""
        way = self._ways.back
        deed = None if way is None else way.deed(reply.pairs)
        if way is not None and deed is not None:
            exchange.header_rules(self._request, deed)
            reply.pairs = way.done(reply.pairs, deed)
