"""OpenAI Responses: the endpoint Codex speaks to. A websocket upgrade on it is denied before it comes here."""

from __future__ import annotations

from ninja import Router

from gateway.api.relay import relay
from gateway.api.replies import Reply
from gateway.api.request import GatewayRequest

router = Router(tags=["OpenAI"])


@router.post("/v1/responses")
async def create_response(request: GatewayRequest) -> Reply:
    """Relayed to the OpenAI provider, or to the one the model's route names; streaming or not."""
    return await relay(request)
