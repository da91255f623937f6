"""What a caller means by a model's name, and where a model that no route names is offered."""

from __future__ import annotations

from dataclasses import replace

from gateway.api.refusals import Refusal
from gateway.dialects.failures import ErrorKind
from gateway.dialects.names import Dialect
from gateway.policy.catalogue import Catalogue, picked_name
from gateway.policy.routing import Destination, Untranslatable, choose_destination, find_route, spoken_dialect
from gateway.policy.snapshot import Snapshot


def find_destination(
    snapshot: Snapshot, catalogue: Catalogue, dialect: Dialect, model: str | None
) -> Destination | Untranslatable:
    """As `choose_destination`, knowing what the providers list. A model that is not listed is asked for all the same:
    lists leave aliases out."""
    if model is None:
        return choose_destination(snapshot, dialect, model)
    meant = meant_model(snapshot, catalogue, dialect, model)
    destination = choose_destination(snapshot, dialect, meant)
    if isinstance(destination, Untranslatable):
        return destination
    if destination.route is None:
        destination = offered_elsewhere(snapshot, catalogue, dialect, meant, destination)
    return settled(catalogue, model, meant, destination)


def meant_model(snapshot: Snapshot, catalogue: Catalogue, dialect: Dialect, model: str) -> str:
    """The name a route or a listing has for it: whatever its case, and without the prefix it was shown to Claude Code
    behind. A name nobody knows stays as it is."""
    if find_route(snapshot, model) is not None:
        return model
    bare = picked_name(model) if dialect is Dialect.ANTHROPIC else model
    if bare != model and (find_route(snapshot, bare) is not None or catalogue.provider_of(bare) is not None):
        model = bare
    folded = model.casefold()
    return next((name for name in snapshot.exact_routes if name.casefold() == folded), model)


def offered_elsewhere(
    snapshot: Snapshot, catalogue: Catalogue, dialect: Dialect, model: str, default: Destination
) -> Destination:
    """Another provider that lists the model, when the default one lists its own and this is none of them."""
    if not catalogue.lacks(default.provider.name, model):
        return default
    name = catalogue.provider_of(model)
    provider = snapshot.providers.get(name) if name is not None else None
    if provider is None:
        return default
    spoken = spoken_dialect(provider, dialect)
    if spoken is None:
        return default
    return Destination(provider, None, None if spoken is dialect else spoken)


def settled(catalogue: Catalogue, asked: str, meant: str, destination: Destination) -> Destination:
    """The destination with the model under the name its provider has for it."""
    provider = destination.provider.name
    wanted = destination.model or meant
    listed = catalogue.find(provider, wanted)
    name = listed.id if listed is not None else wanted
    return destination if name == (destination.model or asked) else replace(destination, model=name)


def unknown_model(snapshot: Snapshot, catalogue: Catalogue, name: str) -> Refusal:
    return Refusal(
        ErrorKind.NOT_FOUND,
        f"model: {name} is not known to any provider of this gateway. {nearest_models(snapshot, catalogue, name)}",
    )


def nearest_models(snapshot: Snapshot, catalogue: Catalogue, name: str) -> str:
    """A sentence with the names most like one that was not found."""
    nearest = catalogue.nearest(name, snapshot.exact_routes)
    return f"The nearest are: {', '.join(nearest)}." if nearest else "GET /v1/models lists those there are."
