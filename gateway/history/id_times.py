"""The time an exchange's id carries: a UUIDv7 begins with the milliseconds of its admission, so that a span of time is
a range of ids, and a time needs no index of its own."""

from __future__ import annotations

import datetime
import uuid

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
HOUR_MS = 3_600_000


def first_id_at(moment: datetime.datetime) -> uuid.UUID:
    """The smallest id an exchange admitted at `moment` can have."""
    milliseconds = int(moment.timestamp() * 1000)
    return uuid.UUID(int=max(0, milliseconds) << 80)


def hour_of(exchange_id: uuid.UUID) -> datetime.datetime:
    """The hour of UTC that a UUIDv7's time lies in."""
    return EPOCH + (exchange_id.int >> 80) // HOUR_MS * HOUR


def moment_of(exchange_id: uuid.UUID) -> datetime.datetime:
    """When an exchange of this UUIDv7 was admitted."""
    return EPOCH + datetime.timedelta(milliseconds=exchange_id.int >> 80)
