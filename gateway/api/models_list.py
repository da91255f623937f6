"""The list of models, which Anthropic and OpenAI both have at the same path.

Where only one provider can be meant, its bytes are relayed. Where there are several, their lists are merged from what
was fetched in the background, in the shape of the caller's dialect.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from ninja import Router

from gateway.api.discovery import can_be_asked
from gateway.api.facts import Facts
from gateway.api.forwarding import CREDENTIALS
from gateway.api.model_names import unknown_model
from gateway.api.own_answers import answer_own
from gateway.api.refusals import Refusal
from gateway.api.relay import relay
from gateway.api.replies import Reply, bytes_reply
from gateway.api.request import GatewayRequest
from gateway.dialects.failures import ErrorKind
from gateway.dialects.model_list import (
    MOST_LISTED,
    ListedModel,
    encode_anthropic_list,
    encode_model,
    encode_openai_list,
)
from gateway.dialects.names import Dialect, ProviderDialect, provider_dialect
from gateway.policy.access import DEFAULT_PROVIDERS
from gateway.policy.catalogue import Catalogue, Listing, for_picker, merged, page_of
from gateway.policy.patterns import fits
from gateway.policy.snapshot import ProviderEntry, Snapshot

router = Router(tags=["Both"])
DEFAULT_LIMIT = 20
CLAUDE_CODE = (b"claude-code/", b"claude-cli/")


@router.api_operation(["GET", "HEAD"], "/v1/models")
async def list_models(request: GatewayRequest) -> Reply:
    """The models of all providers; of one alone, as it lists them itself."""
    if not merges(request):
        return await relay(request)
    return await answer_own(request, write_list)


@router.api_operation(["GET", "HEAD"], "/v1/models/{path:name}")
async def retrieve_model(request: GatewayRequest, name: str) -> Reply:
    """One model by its id, whatever its case."""
    if not merges(request):
        return await relay(request)

    async def write(request: GatewayRequest, facts: Facts) -> Reply:
        return await write_model(request, facts, name)

    return await answer_own(request, write)


@router.api_operation(["POST", "PUT", "PATCH", "DELETE", "OPTIONS"], "/v1/models/{path:name}")
async def change_model(request: GatewayRequest, name: str) -> Reply:
    """Relayed: only a provider can change or delete a model."""
    return await relay(request)


def merges(request: GatewayRequest) -> bool:
    snapshot = request.runtime.configuration.current
    return snapshot is not None and request.runtime.discovery.enabled and not is_one_provider(request.dialect, snapshot)


def is_one_provider(dialect: Dialect, snapshot: Snapshot) -> bool:
    """Whether only the default provider of the caller's dialect can be meant: no other may be asked, and no route gives
    a model a name of its own."""
    default = snapshot.providers[DEFAULT_PROVIDERS[provider_dialect(dialect)]]
    if any(can_be_asked(provider) for provider in snapshot.providers.values() if provider is not default):
        return False
    return not (snapshot.exact_routes and can_be_asked(default))


async def write_list(request: GatewayRequest, facts: Facts) -> Reply:
    models = await visible_models(request, facts)
    if provider_dialect(request.dialect) is ProviderDialect.OPENAI:
        return json_bytes(encode_openai_list(models))
    query = parse_qs(request.scope["query_string"].decode("latin-1"))
    limit = limit_in(query.get("limit", [str(DEFAULT_LIMIT)])[0])
    page = page_of(models, limit, first(query, "after_id"), first(query, "before_id"))
    return json_bytes(encode_anthropic_list(page.models, has_more=page.has_more))


def limit_in(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MOST_LISTED:
        raise Refusal(ErrorKind.INVALID_REQUEST, f"limit must be a whole number from 1 to {MOST_LISTED}.")
    return int(text)


def first(query: dict[str, list[str]], name: str) -> str | None:
    return query[name][0] if name in query else None


async def write_model(request: GatewayRequest, facts: Facts, name: str) -> Reply:
    folded = name.casefold()
    models = await visible_models(request, facts)
    model = next((model for model in models if model.id.casefold() == folded), None)
    if model is None:
        snapshot = request.runtime.configuration.current
        assert snapshot is not None
        raise unknown_model(snapshot, request.runtime.discovery.catalogue, name)
    return json_bytes(encode_model(model, provider_dialect(request.dialect)))


def json_bytes(body: bytes) -> Reply:
    return bytes_reply(200, body, b"application/json")


async def visible_models(request: GatewayRequest, facts: Facts) -> list[ListedModel]:
    """Those of the routes, then of the providers, the caller's dialect first; for a key with a scope, those in it."""
    snapshot, catalogue = request.runtime.configuration.current, request.runtime.discovery.catalogue
    assert snapshot is not None
    own = provider_dialect(request.dialect)
    listings = sorted(
        catalogue.listings.values(), key=lambda listing: snapshot.providers[listing.provider].dialect is not own
    )
    mine = await own_listing(request, facts, snapshot.providers[DEFAULT_PROVIDERS[own]])
    caller = facts.admitted.caller if facts.admitted is not None else None
    if caller is not None and caller.providers:
        listings = [listing for listing in listings if listing.provider in caller.providers]
    models = merged([mine, *listings] if mine is not None else listings, route_models(snapshot, catalogue))
    if caller is not None and caller.models:
        models = [model for model in models if any(fits(name, model.id) for name in caller.models)]
    agent = request.header(b"user-agent") or b""
    if own is ProviderDialect.ANTHROPIC and agent.startswith(CLAUDE_CODE):
        return [for_picker(model) for model in models]
    return models


async def own_listing(request: GatewayRequest, facts: Facts, default: ProviderEntry) -> Listing | None:
    """What the default provider lists for the caller's own credential, where the gateway has none for it."""
    if can_be_asked(default) or facts.admitted is None or not facts.admitted.own_passes or not facts.presented.own:
        return None
    if facts.presented.looks_anthropic and default.dialect is not ProviderDialect.ANTHROPIC:
        return None
    credentials = [pair for pair in request.pairs if pair[0] in CREDENTIALS]
    return await request.runtime.discovery.listing_for(default, credentials)


def route_models(snapshot: Snapshot, catalogue: Catalogue) -> list[ListedModel]:
    """The names that routes give: each is a model to the caller, with what is known of the one it leads to."""
    found = []
    for name, route in snapshot.exact_routes.items():
        target = catalogue.find(route.provider, route.model or name)
        provider = snapshot.providers[route.provider]
        found.append(
            ListedModel(
                id=name,
                raw="",
                dialect=provider.dialect,
                display_name=target.display_name if target else "",
                created=target.created if target else None,
                owner=route.provider,
                context_window=target.context_window if target else None,
                max_output=target.max_output if target else None,
            )
        )
    return found
