"""Fetches the list of models of one provider, with the credential the gateway has for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, urlsplit

from gateway.dialects.content import decode_body
from gateway.dialects.model_list import MOST_LISTED, ListedModel, next_page, read_model_list
from gateway.dialects.names import ProviderDialect
from gateway.upstream.client import UpstreamClient

PATH: Final = b"/v1/models"
MOST_PAGES: Final = 20
MOST_BYTES: Final = 16 * 1024 * 1024
SECONDS: Final = 10.0


class ListingUnavailable(Exception):
    """The provider gave no list; the message says what it gave instead."""


async def fetch_models(
    client: UpstreamClient,
    dialect: ProviderDialect,
    address: str,
    headers: Sequence[tuple[bytes, bytes]],
    seconds: float = SECONDS,
) -> list[ListedModel]:
    """All models, page by page. `headers` holds the credential. Raises ListingUnavailable and UpstreamFailure."""
    found: list[ListedModel] = []
    target = PATH + (b"?limit=%d" % MOST_LISTED if dialect is ProviderDialect.ANTHROPIC else b"")
    try:
        async with asyncio.timeout(seconds):
            for _ in range(MOST_PAGES):
                body = await _fetch(client, dialect, address, target, headers)
                models = read_model_list(body, dialect)
                if models is None:
                    raise ListingUnavailable(f"it answered something else than a list: {body[:80]!r}")
                found += models
                after = next_page(body)
                if after is None:
                    break
                target = PATH + b"?limit=%d&after_id=%b" % (MOST_LISTED, quote(after, safe="").encode())
    except TimeoutError:
        raise ListingUnavailable(f"it did not answer within {seconds:g} s") from None
    return found


async def _fetch(
    client: UpstreamClient,
    dialect: ProviderDialect,
    address: str,
    target: bytes,
    headers: Sequence[tuple[bytes, bytes]],
) -> bytes:
    pairs = [
        (b"host", urlsplit(address).netloc.encode("ascii")),
        (b"accept", b"application/json"),
        (b"accept-encoding", b"identity"),
        *([(b"anthropic-version", b"2023-06-01")] if dialect is ProviderDialect.ANTHROPIC else []),
        *headers,
    ]
    response = await client.send("GET", address, target, pairs, None)
    stream = response.stream
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in stream:  # type: ignore[union-attr]
            size += len(chunk)
            if size > MOST_BYTES:
                raise ListingUnavailable(f"its list is longer than {MOST_BYTES} bytes")
            chunks.append(chunk)
    finally:
        stream.abort()  # type: ignore[union-attr]
    body = decode_body(response.headers.get("content-encoding", ""), b"".join(chunks), MOST_BYTES).data
    if response.status_code != 200:
        raise ListingUnavailable(f"it answered {response.status_code}: {body[:120]!r}")
    return body
