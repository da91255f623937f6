"""What the spool's writer holds in memory."""

from __future__ import annotations

import weakref
from pathlib import Path

from gateway.recording.counters import Counters
from gateway.recording.delta import Delta
from gateway.recording.spool import Spool
from gateway.recording.withheld import Withheld
from tests.gateway.recording.recording import wait_until

BODY = b"x" * 300_000


class Owner:
    id = bytes(16)
    lost: str | None = None
    withheld: Withheld | None = None


def test_a_batch_is_let_go_of_when_it_is_written_and_not_when_the_next_one_comes(spool_dir: Path) -> None:
    spool = Spool(spool_dir, Counters(), max_bytes=1 << 30)
    spool.open()
    try:
        owner = Owner()
        gone = weakref.ref(owner)
        delta = Delta(owner)
        delta.body, delta.size = BODY, len(BODY)
        spool.submit([delta])
        del owner, delta
        wait_until(lambda: spool.written == len(BODY))
        wait_until(lambda: gone() is None, 5)
    finally:
        spool.close()
