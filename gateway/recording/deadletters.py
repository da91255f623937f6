"""Exchanges the loader could not store: look at them, store them after all, or give them up.

A dead letter is counted as dropped (`dead_letter`, then `discarded`) until it is replayed; its row in this table
carries the count, so replaying what was replayed changes nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

import psycopg
from django.db import connection, transaction
from django.utils import timezone

from gateway.history.writer import HistoryWriter
from gateway.metrics.tallies import shard_of
from gateway.models import DeadLetter
from gateway.models.at_rest import unseal
from gateway.recording.assemble import Recorded, assemble, unpack_frames
from gateway.recording.loading import NOTICE
from gateway.recording.rows import RowBuilder
from gateway.recording.tallying import Tallier


def waiting() -> Iterable[DeadLetter]:
    """Those that are neither replayed nor discarded, oldest first, without their frames."""
    return DeadLetter.objects.defer("frames").filter(state=DeadLetter.State.WAITING).order_by("created_at")


def read_letter(letter: DeadLetter) -> Recorded:
    """What it holds. Raises ValueError when that cannot be put together."""
    return assemble(letter.exchange_id.bytes, unpack_frames(unseal(bytes(letter.frames))))


def replay(exchange_id: uuid.UUID, builder: RowBuilder) -> str | None:
    """Store a waiting dead letter. Returns why it cannot be stored, None when it is. A letter that does not wait, and
    an exchange that is in the history already, are left alone."""
    with transaction.atomic():
        letter = (
            DeadLetter.objects.select_for_update()
            .filter(exchange_id=exchange_id, state=DeadLetter.State.WAITING)
            .first()
        )
        if letter is None:
            return None
        try:
            with transaction.atomic():
                store(letter, builder)
        except Exception as error:
            letter.attempts += 1
            letter.detail = f"{type(error).__name__}: {error}".replace("\x00", "\u2400")
            letter.save(update_fields=["attempts", "detail", "updated_at"])
            return letter.detail
        letter.state = DeadLetter.State.REPLAYED
        letter.save(update_fields=["state", "updated_at"])
    return None


def store(letter: DeadLetter, builder: RowBuilder) -> None:
    rows = builder.build(read_letter(letter))
    raw: psycopg.Connection[Any] = connection.connection
    writer = HistoryWriter(raw)
    if writer.known([rows.id]):
        return
    writer.ensure_months([rows])
    writer.write([rows])
    tallier = Tallier(shard_of(str(rows.id)))
    tallier.learn(raw)
    tallier.write(raw, [rows])
    raw.execute("SELECT pg_notify(%s, %s)", [NOTICE, str(rows.id)])


def discard(exchange_ids: Iterable[uuid.UUID]) -> int:
    """Give up waiting dead letters: their bytes are deleted, their count stays. Returns how many there were."""
    letters = DeadLetter.objects.filter(exchange_id__in=list(exchange_ids), state=DeadLetter.State.WAITING)
    return letters.update(state=DeadLetter.State.DISCARDED, frames=b"", updated_at=timezone.now())
