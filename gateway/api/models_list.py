"""The list of models, which Anthropic and OpenAI both have at the same path."""

from __future__ import annotations

from ninja import Router

from gateway.api.relay import relay
from gateway.api.replies import Reply
from gateway.api.request import GatewayRequest

router = Router(tags=["Both"])


@router.api_operation(["GET", "HEAD"], "/v1/models")
async def list_models(request: GatewayRequest) -> Reply:
    """Relayed to the provider that the request's headers and credential point to."""
    return await relay(request)
