"""Header rules on the way of one request: to the provider, and back to the client. Not asked where there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.policy.header_rules import Applied
from gateway.policy.header_ways import HeaderRules

if TYPE_CHECKING:
    from gateway.api.facts import Facts
    from gateway.api.replies import HeaderPair, Reply
    from gateway.api.request import GatewayRequest
    from gateway.policy.routing import Target
    from gateway.recording.recorder import Exchange


class RulesOnTheWay:
    """Of one try to reach a provider."""

    __slots__ = ("_request", "_ways")

    def __init__(self, request: GatewayRequest, facts: Facts, target: Target, rules: HeaderRules) -> None:
        caller = facts.caller
        self._request: Applied | None = None
        self._ways = rules.ways(
            rules.context(
                target.provider.name,
                (caller.team if caller else "") or request.label,
                caller.name if caller else "",
                target.model or facts.envelope.model,
            )
        )

    def there(self, exchange: Exchange, pairs: list[HeaderPair]) -> list[HeaderPair]:
        """The request's headers as the provider gets them."""
        way = self._ways.there
        applied = self._request = None if way is None else way.apply(pairs)
        if applied is None and not exchange.ruled:
            return pairs
        # Also when an earlier try's were told and there are none now.
        exchange.header_rules(applied, None)
        return pairs if applied is None else applied.pairs

    def back(self, exchange: Exchange, reply: Reply) -> None:
        """The answer's headers as the client gets them."""
        way = self._ways.back
        applied = None if way is None else way.apply(reply.pairs)
        if applied is not None:
            exchange.header_rules(self._request, applied)
            reply.pairs = applied.pairs
