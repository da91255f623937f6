"""/metrics: what Prometheus scrapes. Any one `web` process answers for all (see `gateway/api/scraping.py`)."""

from __future__ import annotations

import hmac
import ipaddress

from ninja import Router

from gateway.api.refusals import Refusal
from gateway.api.replies import Reply, bytes_reply
from gateway.api.request import GatewayRequest
from gateway.dialects.failures import ErrorKind

router = Router(tags=["Metrics"])
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
FORWARDED = (b"x-forwarded-for", b"forwarded", b"x-real-ip")


@router.api_operation(["GET", "HEAD"], "/metrics")
async def metrics(request: GatewayRequest) -> Reply:
    """Counters, histograms and gauges in Prometheus' text format.

    With TURNLOG_METRICS_TOKEN it asks for `Authorization: Bearer TOKEN`; without, it answers callers on this machine.
    """
    admit(request)
    return bytes_reply(200, await request.runtime.scraping.text(), CONTENT_TYPE)


def admit(request: GatewayRequest) -> None:
    """Raises Refusal."""
    token = request.runtime.environment.metrics_token
    if token:
        said = request.header(b"authorization") or b""
        if not hmac.compare_digest(said, b"Bearer " + token.encode()):
            raise Refusal(
                ErrorKind.AUTHENTICATION, "Send Authorization: Bearer with the value of TURNLOG_METRICS_TOKEN."
            )
    elif not comes_from_here(request):
        raise Refusal(
            ErrorKind.PERMISSION,
            "Without TURNLOG_METRICS_TOKEN only callers on the gateway's own machine get metrics. Set it, and send "
            "Authorization: Bearer with it.",
        )


def comes_from_here(request: GatewayRequest) -> bool:
    """What a proxy on this machine hands on does not."""
    if any(request.header(name) for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.client_address).is_loopback
    except ValueError:
        return False
