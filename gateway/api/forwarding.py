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
KEYS = CREDENTIALS | {TURNLOG_KEY}
SEEN_TO_AS_SENT = NOT_FORWARDED | FRAMING
SEEN_TO = SEEN_TO_AS_SENT | CREDENTIALS
"""Headers that do not simply go on: without and with a credential of the provider's."""


def outbound_headers(
    pairs: Sequence[HeaderPair], *, host: bytes, treatment: Treatment, body_bytes: int
) -> list[HeaderPair]:
    """The request's headers as the provider gets them. A credential of the provider's stands once, where the caller's
    first key or credential stood."""
    waiting = treatment.header if isinstance(treatment, Replace) else None
    seen_to = SEEN_TO if isinstance(treatment, Replace) else SEEN_TO_AS_SENT
    named = connection_names(pairs)
    if named:
        seen_to |= named
    outbound: list[HeaderPair] = []
    has_host = has_length = False
    for pair in pairs:
        name = pair[0]
        if name not in seen_to:
            outbound.append(pair)
        elif name == b"host":
            has_host = True
            outbound.append((name, host))
        elif name == b"content-length":
            has_length = True
            outbound.append((name, b"%d" % body_bytes))
        elif waiting is not None and name in KEYS:
            outbound.append(waiting)
            waiting = None
    if waiting is not None:
        outbound.append(waiting)
    # An HTTP/1.0 client may leave out the host, and a body may have come in chunks.
    if not has_host:
        outbound.insert(0, (b"host", host))
    if not has_length and (body_bytes or any(name == b"transfer-encoding" for name, _ in pairs)):
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
