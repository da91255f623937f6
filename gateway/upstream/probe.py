"""One question to a provider, to see whether it answers and takes a credential: a GET that costs nothing."""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple

from django.conf import settings

from gateway.dialects.names import ProviderDialect
from gateway.policy.access import credential_header
from gateway.policy.snapshot import ProviderEntry
from gateway.upstream.addresses import host_of, reach_of
from gateway.upstream.client import UpstreamClient
from gateway.upstream.failures import UpstreamFailure

MODELS = "/v1/models"


class Probe(NamedTuple):
    good: bool
    text: str
    """One sentence: what was asked, what came, after how long."""
    status: int | None = None


def probe_now(provider: ProviderEntry, secret: str | None = None) -> Probe:
    """From a thread without an event loop. `secret`: instead of the provider's first credential."""

    async def ask() -> Probe:
        client = UpstreamClient(reach=reach_of(settings.TURNLOG))
        try:
            return await probe(client, provider, secret or provider.credential, MODELS, 15.0)
        finally:
            await client.aclose()

    return asyncio.run(ask())


async def probe(
    client: UpstreamClient, provider: ProviderEntry, secret: str | None, path: str, seconds: float
) -> Probe:
    headers = [(b"host", host_of(provider.address)), (b"accept", b"application/json"), *provider.extra_headers]
    if provider.dialect is ProviderDialect.ANTHROPIC:
        headers.append((b"anthropic-version", b"2023-06-01"))
    if secret is not None and not provider.keyless:
        headers.append(credential_header(provider.dialect, secret))
    began = time.monotonic()
    try:
        async with asyncio.timeout(seconds):
            response = await client.send("GET", provider.address, path.encode(), headers, None, provider.transport)
            response.stream.abort()  # type: ignore[union-attr]
    except TimeoutError:
        return Probe(False, f"GET {path}: no answer within {seconds:g} s")
    except UpstreamFailure as failure:
        return Probe(False, f"GET {path} failed after {time.monotonic() - began:.2f} s: {failure.reason}")
    except OSError as problem:
        return Probe(False, f"GET {path}: {problem.strerror or problem} (a file of its TLS settings?)")
    status = response.status_code
    return Probe(status < 400, f"GET {path}: status {status} after {time.monotonic() - began:.2f} s", status)
