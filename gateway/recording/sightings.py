"""What a turn used of its API, for the ledger of capabilities.

A conversation resends everything each turn, so a body is read whole only when its tools and system prompt are new to
this client's version; after that only the messages that were not stored before are looked into.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from gateway.dialects.capabilities import Used, blocks_in, used_by
from gateway.dialects.client_headers import ClientFacts
from gateway.dialects.content import decode_body
from gateway.dialects.names import Dialect
from gateway.dialects.request_parts import PartKind
from gateway.history.capability_ledger import Sightings, Use
from gateway.history.planning import Additions
from gateway.recording.assemble import Recorded
from gateway.recording.text import INDEXED_BOUND, clean

SMALL_BODY = 32 * 1024
MOST_REMEMBERED = 10_000


class SightingReader:
    """One for each builder of rows."""

    def __init__(self) -> None:
        self._read: set[tuple[str, str, str, bytes | None]] = set()

    def read(
        self,
        recorded: Recorded,
        client: ClientFacts,
        started_at: datetime.datetime,
        encoding: str,
        prefix: bytes | None,
        additions: Additions,
        error: str | None,
    ) -> Sightings | None:
        """`prefix` is the node of the last of tools and system. None for a client that has no name."""
        if not client.client or recorded.admission.purpose:
            return None
        used = self._used(recorded, client, encoding, prefix, additions)
        return Sightings(
            client=clean(client.client, INDEXED_BOUND),
            client_version=clean(client.client_version, INDEXED_BOUND),
            dialect=recorded.admission.dialect,
            seen=started_at,
            uses=frozenset(uses_of(used, client.betas)),
            forwarded=bool(recorded.end.attempts),
            status=recorded.head.status if recorded.head and recorded.end.attempts else None,
            error=clean(error or "", 2_000),
        )

    def _used(
        self, recorded: Recorded, client: ClientFacts, encoding: str, prefix: bytes | None, additions: Additions
    ) -> Used:
        body, dialect = recorded.body or b"", Dialect(recorded.admission.dialect)
        key = (client.client, client.client_version, recorded.admission.path, prefix)
        if len(body) <= SMALL_BODY or key not in self._read:
            if len(self._read) > MOST_REMEMBERED:
                self._read.clear()
            self._read.add(key)
            return used_by(dialect, decode_body(encoding, body).data)
        messages = [blob.data for blob in additions.blobs.values() if blob.kind == PartKind.MESSAGE]
        return Used(blocks=frozenset().union(*map(blocks_in, messages)))


def uses_of(used: Used, betas: Iterable[str]) -> Iterable[Use]:
    for kind, names in (("beta", betas), ("field", used.fields), ("block", used.blocks), ("tool", used.tools)):
        for name in names:
            yield Use(kind, clean(name, INDEXED_BOUND))
