"""What became known of one exchange since its last frame, on its way from the event loop to the writer's thread."""

from __future__ import annotations

from typing import Protocol

import msgspec

from gateway.recording.frames import Kind, encode_head
from gateway.recording.records import (
    BodyPatch,
    End,
    MeteredAnswer,
    Progress,
    ResponseHead,
    RulesApplied,
    Translated,
)
from gateway.recording.withheld import Withheld

JOINED_BYTES = 64 * 1024
AS_WANTED = ("full", "metadata", "capped", "masked")
CUT_SHORT = ("lost_disk", "recorder_fault")

encode = msgspec.msgpack.Encoder().encode


class Owner(Protocol):
    """Whose delta it is. `lost` names why bytes are missing, None while none are."""

    id: bytes
    lost: str | None
    withheld: Withheld | None


class Delta:
    """What became known of one exchange since its last frame. Bytes by reference; `size` is their sum."""

    __slots__ = (
        "body",
        "chunks",
        "end",
        "head",
        "held",
        "masked",
        "metered",
        "owner",
        "patches",
        "read",
        "rules",
        "size",
        "times",
        "translated",
        "unkept",
    )

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.body: bytes | None = None
        self.patches: list[BodyPatch] = []
        self.head: ResponseHead | None = None
        self.held: list[tuple[int, int]] = []
        self.chunks: list[bytes] = []
        self.times: list[int] = []
        self.end: End | None = None
        self.translated: Translated | None = None
        self.rules: RulesApplied | None = None
        self.unkept: list[tuple[int, int]] = []
        self.metered: list[bytes] = []
        """Bytes that usage is read out of, and that are not written."""
        self.read: MeteredAnswer | None = None
        self.masked = False
        self.size = 0

    @property
    def chunk_count(self) -> int:
        """Chunks of the answer, kept or not."""
        return len(self.times) + len(self.unkept)

    def give_up(self, reason: str) -> None:
        """Give up the bytes; the exchange keeps its row."""
        if self.body or self.chunks:
            self.owner.lost = self.owner.lost or reason
        if self.metered and self.owner.withheld is not None:
            self.owner.withheld.lose()
        self.metered = []
        self.body = None
        self.chunks = []
        self.times = []

    def settle(self) -> None:
        """Once bytes are lost no later ones are kept, so that what is kept is always a beginning without a hole."""
        if self.owner.withheld is not None:
            self._withhold(self.owner.withheld)
        lost = self.owner.lost
        if lost in CUT_SHORT:
            self.give_up(lost)
        if self.end is not None and lost is not None and self.end.capture in AS_WANTED:
            self.end = msgspec.structs.replace(self.end, capture=lost)

    def _withhold(self, withheld: Withheld) -> None:
        """What a policy does not want on disk goes before anything is written; once."""
        if self.body is not None and not self.masked:
            self.body = withheld.stored(self.body)
            self.masked = True
        if self.metered:
            withheld.feed(self.metered)
            self.metered = []
        if self.end is None:
            return
        if withheld.meters and self.read is None:
            self.read = withheld.read()
        if withheld.mask_failed:
            self.end = msgspec.structs.replace(self.end, capture="mask_failed")

    def is_empty(self) -> bool:
        told = self.chunks or self.end or self.head or self.patches or self.held or self.translated or self.rules
        told = told or self.unkept or self.metered
        return not told and self.body is None

    def frame(self, seed: int) -> list[bytes]:
        """The buffers of its frame. Small ones are joined, large ones go to the kernel where they lie."""
        parts = self.chunks if self.body is None else [self.body, *self.chunks]
        progress = Progress(
            body=None if self.body is None else len(self.body),
            patches=self.patches,
            head=self.head,
            chunks=list(zip(self.times, map(len, self.chunks), strict=True)),
            end=self.end,
            translated=self.translated,
            held=self.held,
            rules=self.rules,
            unkept=self.unkept,
            metered=self.read,
        )
        if len(parts) > 1 and self.size <= JOINED_BYTES:
            parts = [b"".join(parts)]
        return [encode_head(Kind.PROGRESS, self.owner.id, encode(progress), parts, seed), *parts]
