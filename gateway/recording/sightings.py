"""What a turn used of its API, for the ledger of capabilities.

A conversation resends everything each turn, so a body is read whole only when its tools and system prompt, or its
betas, are new to this client's version; after that only the messages that were not stored before are looked into.
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

MOST_REMEMBERED = 5_000

Key = tuple[str, str, str, bytes | None, tuple[str, ...]]


class SightingReader:
    """One for each builder of rows."""

    def __init__(self) -> None:
        self._used: dict[Key, Used] = {}
        self._uses: dict[tuple[Used, tuple[str, ...]], frozenset[Use]] = {}

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
        used = self._read(recorded, client, encoding, prefix, additions)
        return Sightings(
            client=clean(client.client, INDEXED_BOUND),
            client_version=clean(client.client_version, INDEXED_BOUND),
            dialect=recorded.admission.dialect,
            seen=started_at,
            uses=self._uses_of(used, tuple(client.betas)),
            forwarded=bool(recorded.end.attempts),
            status=recorded.head.status if recorded.head and recorded.end.attempts else None,
            error=clean(error or "", 2_000),
        )

    def _read(
        self, recorded: Recorded, client: ClientFacts, encoding: str, prefix: bytes | None, additions: Additions
    ) -> Used:
        key = (client.client, client.client_version, recorded.admission.path, prefix, tuple(client.betas))
        known = self._used.get(key) if prefix is not None else None
        if known is None:
            body = decode_body(encoding, recorded.body or b"").data
            found = used_by(Dialect(recorded.admission.dialect), body)
            if prefix is not None:
                if len(self._used) >= MOST_REMEMBERED:
                    self._used.clear()
                self._used[key] = Used(found.fields, found.tools)
            return found
        messages = [blob.data for blob in additions.blobs.values() if blob.kind == PartKind.MESSAGE]
        return Used(known.fields, known.tools, frozenset().union(*map(blocks_in, messages)))

    def _uses_of(self, used: Used, betas: tuple[str, ...]) -> frozenset[Use]:
        """The same object for the same uses, so that who writes them sees at once that they are."""
        key = (used, betas)
        uses = self._uses.get(key)
        if uses is None:
            if len(self._uses) >= MOST_REMEMBERED:
                self._uses.clear()
            uses = self._uses[key] = frozenset(uses_of(used, betas))
        return uses


def uses_of(used: Used, betas: Iterable[str]) -> Iterable[Use]:
    for kind, names in (("beta", betas), ("field", used.fields), ("block", used.blocks), ("tool", used.tools)):
        for name in names:
            yield Use(kind, clean(name, INDEXED_BOUND))
