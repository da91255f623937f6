"""The Ninja API of the gateway's paths. Each surface is a router in a module of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import NinjaAPI
from ninja.operation import Operation

from gateway.api import (
    budget_usage,
    cache_clearing,
    chat_completions,
    embeddings,
    greeting,
    messages,
    metrics,
    models_list,
    passthrough,
    probes,
    responses,
    telemetry,
)
from gateway.version import VERSION


class GatewayAPI(NinjaAPI):
    """Our operations return replies of their own, so the response Ninja prepares for each request is never used."""

    unused_response = HttpResponse()

    def create_temporal_response(self, request: HttpRequest) -> HttpResponse:
        return self.unused_response


View = Callable[..., Awaitable[HttpResponseBase]]
SURFACES: tuple[Any, ...] = (
    messages, chat_completions, responses, embeddings, models_list, telemetry, probes, metrics, greeting, budget_usage,
    cache_clearing,
)  # fmt: skip


def build_api() -> GatewayAPI:
    # The document is an operation of ours (`probes.py`): Ninja's own is a synchronous view.
    api = GatewayAPI(title="Turnlog", version=VERSION, openapi_url=None, docs_url=None, urls_namespace="gateway")
    for surface in SURFACES:
        api.add_router("", surface.router)
    # Last: it takes whatever is left below /v1/.
    api.add_router("", passthrough.router)
    return api


def plain_operations() -> dict[tuple[str, str], View]:
    """(method, path) of the operations that take nothing but the request, and the function Ninja would call in the end.
    Called at once they spare each request three coroutines and an empty validation."""
    return {
        (method, path): operation.view_func
        for surface in SURFACES
        for path, view in surface.router.path_operations.items()
        for operation in view.operations
        if "{" not in path and takes_only_request(operation)
        for method in operation.methods
    }


def takes_only_request(operation: Operation) -> bool:
    return operation.is_async and not (operation.models or operation.auth_callbacks or operation.throttle_objects)
