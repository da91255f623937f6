"""Which requests are traced. Pure, and the same on every host: a trace is whole or absent."""

from __future__ import annotations

from hashlib import blake2b

EVERY = 1 << 64


def is_traced(trace_id: str, said: bool | None, share: float) -> bool:
    """What the client's `traceparent` said counts (`said`: its sampled flag; None: it sent none); else `share`, from 0
    to 1, of all traces. By a digest of the id: of ids made within one millisecond only the last bits differ."""
    if said is not None:
        return said
    digest = blake2b(bytes.fromhex(trace_id), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * EVERY
