"""`POST /api/cache/clear`: a web hook by which the holder of a key has its own kept answers thrown away."""

from __future__ import annotations

import asyncio
import json

from django.db import connection
from ninja import Router

from gateway.api.deciding import check_access
from gateway.api.refusals import Refusal, read_or_refuse, unavailable
from gateway.api.replies import Reply, json_reply
from gateway.api.request import GatewayRequest
from gateway.dialects.failures import ErrorKind
from gateway.models import CacheClearing
from gateway.policy.access import read_credentials

router = Router(tags=["Cache"])
LONGEST = 200


@router.post("/api/cache/clear")
async def clear_cache(request: GatewayRequest) -> Reply:
    """`{"model": "claude-*"}`, or nothing for all of the caller's; in force in every process within a second."""
    snapshot = request.runtime.configuration.current
    if snapshot is None:
        raise unavailable("The gateway is starting and has not read its configuration yet. Try again.", 1)
    admitted = check_access(request, read_credentials(request.pairs), snapshot)
    if admitted.caller is None:
        raise Refusal(ErrorKind.PERMISSION, "Only the holder of a Turnlog key can clear what is kept for it.")
    model = model_of(await read_or_refuse(request))
    await asyncio.to_thread(clear, model, admitted.caller.name)
    return json_reply(200, {"cleared": {"model": model or None, "key": admitted.caller.name}})


def model_of(body: bytes) -> str:
    try:
        asked = json.loads(body or b"{}")
        model = asked.get("model") or ""
    except (ValueError, AttributeError):
        raise Refusal(ErrorKind.INVALID_REQUEST, 'Send {"model": "claude-*"}, or no body.') from None
    if not isinstance(model, str) or len(model) > LONGEST:
        raise Refusal(ErrorKind.INVALID_REQUEST, "model is a name or a pattern.")
    return model


def clear(model: str, key: str) -> None:
    try:
        CacheClearing._default_manager.create(model=model, key=key)
    finally:
        connection.close()
