"""Requests that Turnlog itself sends through the gateway: to where they say, past the routes and past the keys; a
judge is asked by the routes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gateway.api.refusals import Refusal
from gateway.dialects.failures import ErrorKind
from gateway.dialects.names import provider_dialect
from gateway.policy.access import Admitted, Keep, Presented, Replace, Treatment, provider_header
from gateway.policy.errands import SELFTEST, Errand, open_errand
from gateway.policy.routing import Target
from gateway.policy.snapshot import Caller, ProviderEntry, Snapshot

if TYPE_CHECKING:
    from gateway.api.request import GatewayRequest


def errand_of(request: GatewayRequest, presented: Presented) -> Errand | None:
    """The errand in the place of a key of ours; None, for nearly everybody, when there is none."""
    if not presented.turnlog:
        return None
    return open_errand(presented.turnlog[0], request.runtime.errand_key, time.time())


def admit_errand(errand: Errand) -> Admitted | None:
    """Who is recorded as the caller, and whose limits it is under; None: nobody."""
    if not errand.follows_routes:
        return None
    return Admitted(Caller(errand.purpose, team=errand.team), own_passes=False, ours=True)


def errand_target(request: GatewayRequest, errand: Errand, snapshot: Snapshot) -> Target:
    """Raises Refusal."""
    if errand.purpose == SELFTEST:
        address = f"http://127.0.0.1:{errand.port}"
        return Target(ProviderEntry(SELFTEST, provider_dialect(request.dialect), address), None)
    provider = snapshot.providers.get(errand.provider)
    if provider is None:
        raise Refusal(ErrorKind.INVALID_REQUEST, f"There is no provider {errand.provider}.")
    return Target(provider, None)


def errand_treatment(errand: Errand, presented: Presented, provider: ProviderEntry) -> Treatment:
    """A credential sent along is meant for the provider; without one it gets its own."""
    return Keep.AS_SENT if presented.own or errand.purpose == SELFTEST else Replace(provider_header(provider))
