"""`previous_response_id` and `store` where the provider does not speak Responses: the gateway keeps what was said.

A provider that speaks Responses keeps its own; it comes here only when a caller goes on with it from a response that
another made. A response is kept before the caller gets its end, for the key that made it, unless the request says
`store: false`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import structlog

from gateway.api.refusals import Refusal
from gateway.dialects.failures import ErrorKind
from gateway.dialects.names import Dialect
from gateway.dialects.request_facts import Patch
from gateway.dialects.responses.continuation import (
    Items,
    KeptResponse,
    by_id,
    continue_request,
    insert_conversation,
    own_input,
    read_continuation,
)
from gateway.dialects.responses.response_object import response_id
from gateway.dialects.turn import Refused
from gateway.history.responses import find_response, find_withdrawn, withdraw_response, withdrawn_since
from gateway.recording.kept_responses import Elsewhere, is_ours

if TYPE_CHECKING:
    from gateway.api.facts import Facts
    from gateway.api.request import GatewayRequest

KEY = "key:"

log = structlog.get_logger(__name__)


class Keeping:
    """One response that is to be kept once it is whole."""

    def __init__(self, request: GatewayRequest, owner: str, previous: str, items: Items) -> None:
        self._store = request.runtime.kept_responses
        self._owner = owner
        self._id = response_id(request.id_text)
        self._previous = previous
        self._items = items

    async def keep(self, response: bytes) -> None:
        """Never fails: a caller that got its answer is not to lose it because the disk is full."""
        kept = KeptResponse(self._previous, self._items, msgspec.Raw(response))
        try:
            await asyncio.to_thread(self._store.keep, self._owner, self._id, kept)
        except OSError as error:
            log.warning("response not kept", response_id=self._id, error=str(error))


def owner_of(facts: Facts) -> str:
    """Whom a response belongs to: the key that opened the gateway, in open mode the caller's own credential."""
    caller = facts.admitted.caller if facts.admitted is not None else None
    if caller is not None:
        return KEY + caller.name
    return "own:" + b"\0".join(facts.presented.own).decode("latin-1")


def find_elsewhere(owner: str, response_id: str) -> KeptResponse | None:
    """A response that another host kept, from the history they share. Only a key of ours can be found by there."""
    if not owner.startswith(KEY) or not is_ours(response_id):
        return None
    return find_response(owner.removeprefix(KEY), response_id)


ELSEWHERE = Elsewhere(find_elsewhere, withdraw_response, find_withdrawn, withdrawn_since)


async def continue_conversation(request: GatewayRequest, facts: Facts, body: bytes) -> tuple[bytes, Keeping | None]:
    """The body with what it continues in front, and what will keep the response. Raises Refusal."""
    if request.dialect is not Dialect.RESPONSES:
        return body, None
    wanted = read_continuation(body)
    if wanted is None:
        return body, None
    owner = owner_of(facts)
    before: Items = []
    if wanted.previous:
        before = await conversation(request, owner, wanted.previous)
    keeping = None
    try:
        if wanted.keeps:
            keeping = Keeping(request, owner, wanted.previous, own_input(body))
        if before or wanted.references:
            body = await asyncio.to_thread(continue_request, body, before, by_id(before))
    except Refused as refused:
        raise Refusal(ErrorKind.INVALID_REQUEST, refused.message) from None
    return body, keeping


async def told_in_full(request: GatewayRequest, facts: Facts, previous: str) -> list[Patch]:
    """What changes in the body for a provider that speaks Responses itself and cannot know a response of ours. Nothing
    for a response of its own. Raises Refusal."""
    if request.dialect is not Dialect.RESPONSES or not is_ours(previous) or not facts.plain:
        return []
    before = await conversation(request, owner_of(facts), previous)
    return await asyncio.to_thread(insert_conversation, facts.plain, before)


async def conversation(request: GatewayRequest, owner: str, previous: str) -> Items:
    """Raises Refusal, in OpenAI's words, when it is not there for this caller."""
    found = await asyncio.to_thread(request.runtime.kept_responses.conversation, owner, previous)
    if found is None:
        raise Refusal(
            ErrorKind.INVALID_REQUEST,
            f"Previous response with id '{previous}' not found. It was not made with this key through this gateway, "
            "was not stored (store: false), or is too old: send the whole input instead of previous_response_id.",
        )
    return found
