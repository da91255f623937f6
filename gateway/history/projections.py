"""What is derived of blobs and goes with them: a search index, for one.

A projection is told of every blob in the transaction that stores it, and of every blob in the transaction that removes
it; a month that goes takes the projection's partition along when its table stands in `partitions.PARTITIONED_TABLES`.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import psycopg


class StoredBlob(NamedTuple):
    """`kind` is one of `Blob.Kind`; `data` is not compressed; `exchange_id` is the first that brought it."""

    exchange_id: uuid.UUID
    digest: bytes
    kind: int
    data: bytes


class BlobProjection(Protocol):
    def added(
        self, connection: psycopg.Connection[Any], month: datetime.date, scope: int, blobs: Sequence[StoredBlob]
    ) -> None:
        """New blobs of one month and scope. Two loaders may store the same at once: what is there already is left
        alone. An exception costs the whole batch, so odd content must not raise."""

    def removed(
        self, connection: psycopg.Connection[Any], month: datetime.date, scope: int, digests: Sequence[bytes]
    ) -> None:
        """Nobody refers to these any more, and they are being deleted."""


PROJECTIONS: list[BlobProjection] = []
"""Filled by the modules that define them, from `GatewayConfig.ready`."""
