"""Keeps the catalogue of models: every provider that can be asked is, every TURNLOG_MODEL_REFRESH seconds, away from
any request.

A provider can be asked when the gateway has a credential for it, or when it is none of the two defaults (a local engine
needs none). A listing that cannot be fetched leaves the last one in force.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Final

import structlog

from gateway.configuration.keeper import ConfigurationKeeper
from gateway.policy.access import DEFAULT_PROVIDERS, provider_header
from gateway.policy.catalogue import Catalogue, Listing, make_listing
from gateway.policy.snapshot import ProviderEntry, Snapshot
from gateway.upstream.client import UpstreamClient
from gateway.upstream.failures import UpstreamFailure
from gateway.upstream.model_listing import SECONDS, ListingUnavailable, fetch_models

LOOK_SECONDS: Final = 0.5
"""How often it is looked whether the configuration changed."""

MOST_OWN: Final = 256
CALLERS_SECONDS: Final = 2.0
HeaderPairs = Sequence[tuple[bytes, bytes]]

log = structlog.get_logger(__name__)


class ModelDiscovery:
    """`catalogue` is read by requests; it is replaced whole, and empty until the first listing came in."""

    def __init__(self, configuration: ConfigurationKeeper, client: UpstreamClient, refresh_seconds: float) -> None:
        self.catalogue = Catalogue()
        self._configuration = configuration
        self._client = client
        self._seconds = refresh_seconds
        self._problems: dict[str, str] = {}
        self._asked: dict[str, tuple[ProviderEntry, float]] = {}
        self._own: dict[tuple[str, tuple[tuple[bytes, bytes], ...]], tuple[Listing | None, float]] = {}

    @property
    def enabled(self) -> bool:
        return self._seconds > 0

    async def run(self) -> None:
        """Until cancelled."""
        while self.enabled:
            snapshot = self._configuration.current
            if snapshot is not None:
                try:
                    await self._refresh(snapshot)
                except Exception as fault:  # the next look may go well
                    self._note("", repr(fault))
            await asyncio.sleep(LOOK_SECONDS)

    async def _refresh(self, snapshot: Snapshot) -> None:
        askable = {provider.name: provider for provider in snapshot.providers.values() if can_be_asked(provider)}
        if self.catalogue.listings.keys() - askable.keys():
            self._take(askable, {})
        due = [provider for provider in askable.values() if self._is_due(provider)]
        now = time.monotonic()
        self._asked |= {provider.name: (provider, now) for provider in due}
        await asyncio.gather(*(self._renew(provider, askable) for provider in due))

    async def _renew(self, provider: ProviderEntry, askable: Iterable[str]) -> None:
        """Each list is in force as soon as it is there: a provider that hangs holds up none but its own."""
        listing = await self._ask(provider)
        if listing is not None:
            self._take(askable, {provider.name: listing})

    def _take(self, askable: Iterable[str], fresh: dict[str, Listing]) -> None:
        known = {**self.catalogue.listings, **fresh}
        self.catalogue = Catalogue({name: known[name] for name in askable if name in known})

    def _is_due(self, provider: ProviderEntry) -> bool:
        asked, at = self._asked.get(provider.name, (None, 0.0))
        return asked != provider or time.monotonic() - at >= self._seconds

    async def listing_for(self, provider: ProviderEntry, credentials: HeaderPairs) -> Listing | None:
        """What `provider` lists for a caller's own credential, which is kept as long as a listing is good. The caller
        waits for it, so it is not waited for long: Claude Code gives up after 3 s."""
        key = (provider.name, tuple(credentials))
        now = time.monotonic()
        listing, asked = self._own.get(key, (None, -self._seconds))
        if now - asked >= self._seconds:
            listing = await self._ask(provider, credentials, CALLERS_SECONDS)
            if len(self._own) >= MOST_OWN:
                self._own.clear()
            self._own[key] = (listing, now)
        return listing

    async def _ask(
        self, provider: ProviderEntry, credentials: HeaderPairs | None = None, seconds: float = SECONDS
    ) -> Listing | None:
        header = provider_header(provider)
        pairs = credentials if credentials is not None else [header] if header is not None else []
        try:
            models = await fetch_models(self._client, provider.dialect, provider.address, pairs, seconds)
        except (ListingUnavailable, UpstreamFailure) as problem:
            self._note(provider.name, str(problem))
            return None
        except Exception as fault:  # whatever a provider sends, the others are asked all the same
            self._note(provider.name, repr(fault))
            return None
        self._problems.pop(provider.name, None)
        return make_listing(provider.name, models, time.time())

    def _note(self, provider: str, problem: str) -> None:
        if self._problems.get(provider) != problem:
            log.info("models not listed", provider=provider, problem=problem[:300])
        self._problems[provider] = problem


def can_be_asked(provider: ProviderEntry) -> bool:
    """Without a caller's credential."""
    return provider.credential is not None or provider.keyless or provider.name not in DEFAULT_PROVIDERS.values()
