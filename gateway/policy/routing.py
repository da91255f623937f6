"""Which provider and model a request leads to."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field
from functools import lru_cache

from gateway.dialects.codecs import CODECS
from gateway.dialects.names import Dialect, ProviderDialect, provider_dialect
from gateway.policy.access import DEFAULT_PROVIDERS
from gateway.policy.snapshot import ProviderEntry, RouteEntry, Snapshot


@dataclass(frozen=True, slots=True)
class Destination:
    provider: ProviderEntry
    model: str | None
    """The model to ask for when it is another than the caller's; None keeps the caller's bytes."""
    speaks: Dialect | None = None
    """The dialect to translate into; None: the provider speaks the caller's, and its bytes are relayed."""
    route: RouteEntry | None = field(default=None, compare=False)
    """None: no route named the model."""


@dataclass(frozen=True, slots=True)
class Untranslatable:
    """The route leads to a provider that speaks another API than the caller."""

    provider: ProviderEntry


def choose_destination(snapshot: Snapshot, dialect: Dialect, model: str | None) -> Destination | Untranslatable:
    """The route of `model`, else the default provider of the dialect."""
    wanted = provider_dialect(dialect)
    route = find_route(snapshot, model) if model is not None else None
    if route is None:
        return Destination(snapshot.providers[DEFAULT_PROVIDERS[wanted]], None)
    provider = snapshot.providers[route.provider]
    renamed = route.model if route.model and route.model != model else None
    spoken = spoken_dialect(provider, dialect)
    if spoken is dialect:
        return Destination(provider, renamed, route=route)
    return Destination(provider, renamed, spoken, route) if spoken is not None else Untranslatable(provider)


def spoken_dialect(provider: ProviderEntry, dialect: Dialect) -> Dialect | None:
    """What to say a request of `dialect` in: itself where the provider knows it; None where there is no way."""
    if provider.dialect is ProviderDialect.ANTHROPIC:
        return Dialect.ANTHROPIC if dialect in CODECS else None
    if dialect in provider.profile.apis or dialect is Dialect.OPENAI:
        return dialect
    known = (Dialect(api) for api in provider.profile.apis)
    return next((spoken for spoken in known if spoken in CODECS), None) if dialect in CODECS else None


def find_route(snapshot: Snapshot, model: str) -> RouteEntry | None:
    """An exact name wins over a pattern; among patterns the first that fits."""
    exact = snapshot.exact_routes.get(model)
    if exact is not None:
        return exact
    return next((route for route in snapshot.pattern_routes if pattern(route.match).fullmatch(model)), None)


def is_pattern(match: str) -> bool:
    return "*" in match or "?" in match


@lru_cache(maxsize=4096)
def pattern(match: str) -> re.Pattern[str]:
    """`*` stands for any text, `?` for one character; everything else for itself."""
    return re.compile(fnmatch.translate(match.replace("[", "[[]")))
