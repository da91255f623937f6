"""What Claude Code asks at its start to see whether anybody is there. It asks without a credential."""

from __future__ import annotations

from ninja import Router

from gateway.api.replies import Reply
from gateway.api.request import GatewayRequest

router = Router(tags=["Probes"])


@router.api_operation(["HEAD"], "/")
async def greet(request: GatewayRequest) -> Reply:
    """Yes; no provider is asked."""
    return Reply(200, [(b"content-length", b"0")])


@router.api_operation(["HEAD", "GET"], "/api/hello")
async def greet_claude_code(request: GatewayRequest) -> Reply:
    """Yes; no provider is asked."""
    return Reply(200, [(b"content-length", b"0")])
