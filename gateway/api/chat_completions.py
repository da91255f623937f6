"""OpenAI Chat Completions."""

from __future__ import annotations

from ninja import Router

from gateway.api.relay import relay
from gateway.api.replies import Reply
from gateway.api.request import GatewayRequest

router = Router(tags=["OpenAI"])


@router.post("/v1/chat/completions")
async def create_chat_completion(request: GatewayRequest) -> Reply:
    """Relayed to the OpenAI provider, or to the one the model's route names; streaming or not."""
    return await relay(request)


@router.get("/v1/chat/completions")
async def list_chat_completions(request: GatewayRequest) -> Reply:
    """Stored completions, relayed."""
    return await relay(request)
