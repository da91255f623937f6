"""Which headers cross the gateway, and how they look on the other side. Pure; names are in lower case.

Everything end-to-end is kept in its order and with its duplicates. Ours are: the hop-by-hop headers, those named by
`Connection`, `Host`, `Expect`, our own key, and the credential where the access rules say so.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.policy.access import API_KEY, AUTHORIZATION, TURNLOG_KEY, Replace, Treatment
from gateway.policy.caching import CACHE
from gateway.policy.signing import SIGNATURE

HeaderPair = tuple[bytes, bytes]

HOP_BY_HOP = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te",
        b"trailer", b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip
NOT_FORWARDED = HOP_BY_HOP | {b"expect", TURNLOG_KEY, SIGNATURE, CACHE}
CREDENTIALS = frozenset({AUTHORIZATION, API_KEY})
FRAMING = frozenset({b"content-length", b"host"})


def outbound_headers(
    pairs: Sequence[HeaderPair], *, host: bytes, treatment: Treatment, body_bytes: int
) -> list[HeaderPair]:
    """The request's headers as the provider gets them."""
    named = connection_names(pairs)
    dropped = NOT_FORWARDED | (named - FRAMING) if named else NOT_FORWARDED
    if isinstance(treatment, Replace):
        dropped = dropped - CREDENTIALS
        return replace_credentials(pairs, dropped, host, treatment, body_bytes)
    outbound: list[HeaderPair] = []
    for pair in pairs:
        name = pair[0]
        if name in FRAMING:
            outbound.append((name, host) if name == b"host" else (name, b"%d" % body_bytes))
        elif name not in dropped:
            outbound.append(pair)
    return with_framing(outbound, pairs, host, body_bytes)


def replace_credentials(
    pairs: Sequence[HeaderPair], dropped: frozenset[bytes], host: bytes, treatment: Replace, body_bytes: int
) -> list[HeaderPair]:
    """As `outbound_headers`; the provider's credential stands, once, where the first key or credential stood."""
    outbound: list[HeaderPair] = []
    waiting = treatment.header
    for pair in pairs:
        name = pair[0]
        if name in CREDENTIALS or name == TURNLOG_KEY:
            if waiting is not None:
                outbound.append(waiting)
                waiting = None
        elif name in FRAMING:
            outbound.append((name, host) if name == b"host" else (name, b"%d" % body_bytes))
        elif name not in dropped:
            outbound.append(pair)
    if waiting is not None:
        outbound.append(waiting)
    return with_framing(outbound, pairs, host, body_bytes)


def with_framing(
    outbound: list[HeaderPair], pairs: Sequence[HeaderPair], host: bytes, body_bytes: int
) -> list[HeaderPair]:
    """Add the `Host` an HTTP/1.0 client may leave out, and the length of a body that came in chunks."""
    names = {name for name, _ in outbound}
    if b"host" not in names:
        outbound.insert(0, (b"host", host))
    if b"content-length" not in names and (body_bytes or any(name == b"transfer-encoding" for name, _ in pairs)):
        outbound.append((b"content-length", b"%d" % body_bytes))
    return outbound


def with_extra(outbound: list[HeaderPair], extra: Sequence[HeaderPair]) -> list[HeaderPair]:
    """With the provider's own headers at the end, instead of what the client sent by those names."""
    names = {name for name, _ in extra}
    return [pair for pair in outbound if pair[0] not in names] + list(extra)


def inbound_headers(pairs: Sequence[HeaderPair]) -> list[HeaderPair]:
    """The provider's answer's headers as the client gets them. A length beside chunks is not that of the body."""
    names = [name.lower() for name, _ in pairs]
    dropped = HOP_BY_HOP
    if b"connection" in names:
        dropped |= connection_names([(name, pair[1]) for name, pair in zip(names, pairs, strict=True)]) - FRAMING
    if b"transfer-encoding" in names:
        dropped |= {b"content-length"}
    return [pair for name, pair in zip(names, pairs, strict=True) if name not in dropped]


def connection_names(pairs: Sequence[HeaderPair]) -> frozenset[bytes]:
    """The headers that `Connection` declares to be for this hop alone; names in lower case."""
    names: set[bytes] = set()
    for name, value in pairs:
        if name == b"connection" and value.lower() not in (b"keep-alive", b"close"):
            names.update(token.strip().lower() for token in value.split(b","))
    return frozenset(names)
