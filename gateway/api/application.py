"""The Ninja API of the gateway's paths. Each surface is a router in a module of its own."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI

from gateway.api import (
    chat_completions,
    embeddings,
    greeting,
    messages,
    models_list,
    passthrough,
    probes,
    responses,
    telemetry,
)
from gateway.api.version import VERSION


class GatewayAPI(NinjaAPI):
    """Our operations return replies of their own, so the response Ninja prepares for each request is never used."""

    unused_response = HttpResponse()

    def create_temporal_response(self, request: HttpRequest) -> HttpResponse:
        return self.unused_response


def build_api() -> GatewayAPI:
    # The document is an operation of ours (`probes.py`): Ninja's own is a synchronous view.
    api = GatewayAPI(title="Turnlog", version=VERSION, openapi_url=None, docs_url=None, urls_namespace="gateway")
    surfaces: tuple[Any, ...] = (
        messages, chat_completions, responses, embeddings, models_list, telemetry, probes, greeting,
    )  # fmt: skip
    for surface in surfaces:
        api.add_router("", surface.router)
    # Last: it takes whatever is left below /v1/.
    api.add_router("", passthrough.router)
    return api
