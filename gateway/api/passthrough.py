"""Everything else below /v1/: files, batches, images and what the providers have yet to invent."""

from __future__ import annotations

from ninja import Router

from gateway.api.paths import not_found
from gateway.api.relay import relay
from gateway.api.replies import Reply
from gateway.api.request import GatewayRequest

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
router = Router(tags=["Both"])


@router.api_operation(METHODS, "/v1/{path:rest}")
async def relay_rest(request: GatewayRequest, rest: str) -> Reply:
    """Relayed to the provider the path belongs to; where both have it, to the one the headers point to."""
    if rest.startswith("v1/") or "/v1/" in rest:
        raise not_found(request)
    return await relay(request)
