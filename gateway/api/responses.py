"""OpenAI Responses: the endpoint Codex speaks to. A websocket upgrade on it is denied before it comes here.

Responses that were translated are kept here and answered from here; those of a provider that speaks this dialect are
its own, and their paths are relayed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from urllib.parse import parse_qs

from ninja import Router

from gateway.api.facts import Facts
from gateway.api.keeping import owner_of
from gateway.api.own_answers import answer_own
from gateway.api.refusals import Refusal
from gateway.api.relay import relay
from gateway.api.replies import Reply, bytes_reply
from gateway.api.request import GatewayRequest
from gateway.dialects.failures import ErrorKind
from gateway.dialects.responses.continuation import KeptResponse, input_page, with_ids
from gateway.recording.kept_responses import is_ours

router = Router(tags=["OpenAI"])
DEFAULT_LIMIT = 20
MOST_ITEMS = 100
OTHER_METHODS = ["POST", "PUT", "PATCH", "HEAD", "OPTIONS"]
Writing = Callable[[KeptResponse], bytes]


@router.post("/v1/responses")
async def create_response(request: GatewayRequest) -> Reply:
    """Relayed to the OpenAI provider, or to the one the model's route names; streaming or not."""
    return await relay(request)


@router.get("/v1/responses/{response_id}")
async def retrieve_response(request: GatewayRequest, response_id: str) -> Reply:
    """A response that was kept here, as the caller got it; relayed when the id is of a provider's making."""
    return await from_kept(request, response_id, lambda kept: bytes(kept.response))


@router.delete("/v1/responses/{response_id}")
async def delete_response(request: GatewayRequest, response_id: str) -> Reply:
    """Forgotten here; relayed when the id is of a provider's making."""
    if not is_ours(response_id):
        return await relay(request)

    async def write(request: GatewayRequest, facts: Facts) -> Reply:
        store = request.runtime.kept_responses
        if not await asyncio.to_thread(store.forget, owner_of(facts), response_id):
            raise unknown_response(response_id)
        return json_bytes(json.dumps({"id": response_id, "object": "response", "deleted": True}).encode())

    return await answer_own(request, write)


@router.get("/v1/responses/{response_id}/input_items")
async def list_input_items(request: GatewayRequest, response_id: str) -> Reply:
    """What the request of a kept response added, page by page; relayed when the id is of a provider's making."""
    query = parse_qs(request.scope["query_string"].decode("latin-1"))

    def write(kept: KeptResponse) -> bytes:
        limit = query.get("limit", [str(DEFAULT_LIMIT)])[0]
        if not limit.isdigit() or not 1 <= int(limit) <= MOST_ITEMS:
            raise Refusal(ErrorKind.INVALID_REQUEST, f"limit must be a whole number from 1 to {MOST_ITEMS}.")
        items = with_ids(kept.input, "item_" + response_id.removeprefix("resp_"))
        newest_first = query.get("order", ["desc"])[0] != "asc"
        return input_page(items, int(limit), query.get("after", [""])[0], newest_first=newest_first)

    return await from_kept(request, response_id, write)


@router.api_operation(OTHER_METHODS, "/v1/responses/{response_id}")
async def relay_other(request: GatewayRequest, response_id: str) -> Reply:
    """`compact`, `input_tokens` and whatever else stands beside the ids."""
    return await relay(request)


async def from_kept(request: GatewayRequest, response_id: str, write: Writing) -> Reply:
    """What `write` makes of a kept response of the caller's."""
    if not is_ours(response_id):
        return await relay(request)

    async def answer(request: GatewayRequest, facts: Facts) -> Reply:
        kept = await asyncio.to_thread(request.runtime.kept_responses.find, owner_of(facts), response_id)
        if kept is None:
            raise unknown_response(response_id)
        return json_bytes(write(kept))

    return await answer_own(request, answer)


def unknown_response(response_id: str) -> Refusal:
    return Refusal(
        ErrorKind.NOT_FOUND,
        f"Response with id '{response_id}' not found. Only the key that made a response finds it, until it is deleted "
        "or too old, and one made with store: false is not kept.",
    )


def json_bytes(body: bytes) -> Reply:
    return bytes_reply(200, body, b"application/json")
