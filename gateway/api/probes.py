"""How the gateway says of itself that it lives, is ready, is healthy, and what it can. No key is needed.

Nothing here touches the database, a provider or the disk: everything is read from memory.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from functools import cache
from typing import Any

from ninja import Router

from gateway.api.replies import Reply, bytes_reply, json_reply
from gateway.api.request import GatewayRequest
from gateway.api.runtime import Runtime
from gateway.version import VERSION

router = Router(tags=["Probes"])
NO_STORE = [(b"cache-control", b"no-store")]


@router.api_operation(["GET", "HEAD"], "/livez")
async def livez(request: GatewayRequest) -> Reply:
    """The process answers: status, in_flight, draining, timestamp."""
    runtime = request.runtime
    return json_reply(
        200,
        {"status": "alive", "in_flight": runtime.in_flight, "draining": runtime.draining, "timestamp": now()},
        NO_STORE,
    )


@router.api_operation(["GET", "HEAD"], "/readyz")
async def readyz(request: GatewayRequest) -> Reply:
    """200 when requests should be sent here, else 503, with every part by name."""
    runtime = request.runtime
    parts = {part: problem or "ok" for part, problem in problems(runtime).items()}
    ready = not runtime.draining and can_serve(runtime)
    body = {"status": "ready" if ready else "not ready", "parts": parts, "timestamp": now()}
    return json_reply(200 if ready else 503, body, NO_STORE)


@router.api_operation(["GET", "HEAD"], "/ready")
async def ready(request: GatewayRequest) -> Reply:
    """The same as /readyz."""
    return await readyz(request)


@router.api_operation(["GET", "HEAD"], "/health")
async def health(request: GatewayRequest) -> Reply:
    """healthy, unhealthy or draining, with version, uptime in seconds and the provider's address."""
    runtime = request.runtime
    status = "draining" if runtime.draining else "healthy" if can_serve(runtime) else "unhealthy"
    body: dict[str, Any] = {
        "status": status,
        "timestamp": now(),
        "version": VERSION,
        "uptime": round(time.monotonic() - runtime.began, 3),
        "in_flight": runtime.in_flight,
        "backend_url": backend_url(runtime),
        "models_cached": models_cached(runtime),
        "circuit_breaker": {"is_open": None, "consecutive_failures": None},
    }
    return json_reply(200 if status == "healthy" else 503, body, NO_STORE)


def models_cached(runtime: Runtime) -> int | None:
    """How many models the providers list; None: nobody asks them."""
    if not runtime.discovery.enabled:
        return None
    return sum(len(listing.models) for listing in runtime.discovery.catalogue.listings.values())


@router.api_operation(["GET", "HEAD"], "/healthz")
async def healthz(request: GatewayRequest) -> Reply:
    """The same as /health."""
    return await health(request)


@router.get("/openapi.json")
async def openapi(request: GatewayRequest) -> Reply:
    """This document."""
    return bytes_reply(200, openapi_document(), b"application/json")


@router.get("/protocol")
async def protocol(request: GatewayRequest) -> Reply:
    """What of Claude Code's gateway contract and of the providers' APIs is supported."""
    limits = {"max_request_bytes": request.runtime.environment.max_request_bytes}
    return json_reply(200, PROTOCOL | {"limits": limits})


def problems(runtime: Runtime) -> dict[str, str | None]:
    """What is wrong with each part; None: nothing."""
    return {
        "server": "draining" if runtime.draining else None,
        "configuration": runtime.configuration.problem or runtime.configuration.access_file.problem,
        "connections": None if runtime.descriptors.has_room() else "no file descriptor left for another connection",
        "memory": runtime.memory.problem,
        "history": None if runtime.keeps_history else "the history cannot be kept right now",
    }


def can_serve(runtime: Runtime) -> bool:
    """A configuration that was read once serves on; history is demanded by the strict policy alone."""
    strict = runtime.environment.capture_policy == "strict"
    has_room = runtime.descriptors.has_room() and runtime.memory.problem is None
    return has_room and runtime.configuration.current is not None and (runtime.keeps_history or not strict)


def backend_url(runtime: Runtime) -> str:
    snapshot = runtime.configuration.current
    return snapshot.providers["anthropic"].address if snapshot else runtime.environment.anthropic_url


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@cache
def openapi_document() -> bytes:
    from gateway.api.application import build_api  # the API is built of this module's router

    return json.dumps(build_api().get_openapi_schema(path_prefix="")).encode()


PROTOCOL: dict[str, Any] = {
    "name": "turnlog",
    "version": VERSION,
    "api_formats": {
        "anthropic_messages": {
            "paths": ["/v1/messages", "/v1/messages/count_tokens", "/v1/messages/batches", "/v1/models", "/v1/files"],
            "base_url": "the gateway's address, without /v1",
        },
        "openai_chat_completions": {"paths": ["/v1/chat/completions"], "base_url": "the gateway's address with /v1"},
        "openai_responses": {
            "paths": ["/v1/responses"],
            "base_url": "the gateway's address with /v1",
            "websocket": "426: fall back to HTTP",
        },
    },
    "credentials": ["Authorization: Bearer", "x-api-key", "x-turnlog-key"],
    "request": {
        "headers": "all end-to-end headers are forwarded; unknown ones are never refused",
        "body": "forwarded byte for byte; only the value of model changes, where a route says so",
        "chunked": True,
        "expect_100_continue": True,
        "content_encoding": "forwarded as it is",
    },
    "response": {"body": "relayed byte for byte as it arrives, errors included", "headers": "end-to-end headers kept"},
    "request_id_header": "x-turnlog-request-id, the one header added to answers, the last of them",
    "telemetry": "POST /v1/metrics, /v1/logs and /v1/traces are answered 200 and not stored",
    "attribution_headers": [
        "x-claude-code-session-id", "x-claude-code-agent-id", "x-claude-code-parent-agent-id",
        "x-claude-code-prompt-id", "x-claude-code-request-class", "x-client-request-id",
    ],
    "limits_and_budgets": {
        "limit": "429 rate_limit_error with Retry-After",
        "budget": "429 billing_error, x-should-retry: false, one sentence; anthropic-ratelimit-unified-* below it",
        "usage": "GET /api/oauth/usage; 404 without a budget",
    },
    "retries": "none; clients retry",
    "sign_in": False,
}  # fmt: skip
