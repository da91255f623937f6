"""OpenAI Embeddings."""

from __future__ import annotations

from ninja import Router

from gateway.api.relay import relay
from gateway.api.replies import Reply
from gateway.api.request import GatewayRequest

router = Router(tags=["OpenAI"])


@router.post("/v1/embeddings")
async def create_embedding(request: GatewayRequest) -> Reply:
    """Relayed to the OpenAI provider, or to the one the model's route names."""
    return await relay(request)
