"""Anthropic Messages: the endpoint Claude Code speaks to."""

from __future__ import annotations

from ninja import Router

from gateway.api.relay import relay
from gateway.api.replies import Reply
from gateway.api.request import GatewayRequest

router = Router(tags=["Anthropic"])


@router.post("/v1/messages")
async def create_message(request: GatewayRequest) -> Reply:
    """Relayed to the Anthropic provider, or to the one the model's route names; streaming or not."""
    return await relay(request)


@router.post("/v1/messages/count_tokens")
async def count_tokens(request: GatewayRequest) -> Reply:
    """Relayed like a message."""
    return await relay(request)
