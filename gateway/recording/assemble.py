"""An exchange put together again from its frames."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from gateway.dialects.names import Outcome
from gateway.recording.frames import Frame, Kind, encode_head, walk
from gateway.recording.open_files import OpenFiles
from gateway.recording.records import (
    Admission,
    BodyPatch,
    End,
    MeteredAnswer,
    Progress,
    ResponseHead,
    RulesApplied,
    Translated,
)
from gateway.recording.series import frames_path, stubs_path
from gateway.recording.series_tail import Tracked

UNSEEDED = 0
"""Checksum seed of frames outside a series: those of dead letters."""
decode_admission = msgspec.msgpack.Decoder(Admission).decode
decode_progress = msgspec.msgpack.Decoder(Progress).decode


@dataclass(slots=True)
class Recorded:
    """Everything observed of one exchange. `body` is None when it was not kept; `times` and `sizes` are the answer's
    chunks: microseconds since the admission, and bytes. `held` are those the client was slow to take: when each came
    and for how long."""

    exchange_id: bytes
    admission: Admission
    end: End
    body: bytes | None = None
    patches: list[BodyPatch] = field(default_factory=list)
    head: ResponseHead | None = None
    response: bytes = b""
    times: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    translated: Translated | None = None
    held: list[tuple[int, int]] = field(default_factory=list)
    rules: RulesApplied | None = None
    metered: MeteredAnswer | None = None
    """Of an answer whose bytes are not kept."""


class Incomplete(ValueError):
    """Frames that do not make an exchange."""


def read_frames(tracked: Tracked, files: OpenFiles) -> list[tuple[int, bytes, bytes]]:
    """(kind, meta, blob) of each of its frames, the admission first. Raises OSError."""
    frames: list[tuple[int, bytes, bytes]] = []
    stub = tracked.stub
    if stub is not None:
        path = stubs_path(tracked.directory, stub.number)
        frames.append((Kind.ADMISSION, files.read(path, stub.meta_start, stub.end - stub.meta_start), b""))
    for extent in tracked.frames:
        data = files.read(
            frames_path(tracked.directory, extent.number), extent.meta_start, extent.end - extent.meta_start
        )
        split = extent.blob_start - extent.meta_start
        frames.append((Kind.PROGRESS, data[:split], data[split:]))
    return frames


def assemble(exchange_id: bytes, frames: list[tuple[int, bytes, bytes]]) -> Recorded:
    """Put frames together; without an end the exchange was interrupted. Raises Incomplete and msgspec.DecodeError."""
    if not frames or frames[0][0] != Kind.ADMISSION:
        raise Incomplete("the admission is missing")
    recorded = Recorded(exchange_id, decode_admission(frames[0][1]), INTERRUPTED)
    answer: list[bytes] = []
    for kind, meta, blob in frames[1:]:
        if kind == Kind.PROGRESS:
            take_in(recorded, decode_progress(meta), blob, answer)
    recorded.response = answer[0] if len(answer) == 1 else b"".join(answer)
    if recorded.end is INTERRUPTED:
        recorded.end = interrupted(recorded)
    return recorded


INTERRUPTED = End(at_us=0, outcome=Outcome.INTERRUPTED.value)


def take_in(recorded: Recorded, progress: Progress, blob: bytes, answer: list[bytes]) -> None:
    split = progress.body or 0
    sizes = [size for _, size in progress.chunks]
    if split + sum(sizes) != len(blob):
        raise Incomplete("a frame's blob is not as long as its record says")
    if progress.body is not None:
        recorded.body = blob[:split]
    if sizes:
        answer.append(blob[split:] if split else blob)
        recorded.sizes += sizes
        recorded.times += [at_us for at_us, _ in progress.chunks]
    recorded.sizes += [size for _, size in progress.unkept]
    recorded.times += [at_us for at_us, _ in progress.unkept]
    recorded.metered = progress.metered or recorded.metered
    recorded.patches += progress.patches
    recorded.held += progress.held
    recorded.head = progress.head or recorded.head
    recorded.end = progress.end or recorded.end
    recorded.translated = progress.translated or recorded.translated
    recorded.rules = progress.rules or recorded.rules


def interrupted(recorded: Recorded) -> End:
    """The end of an exchange whose process died: when it was last heard of, and that its tail is lost."""
    last = max([recorded.head.at_us if recorded.head else 0, *recorded.times[-1:]])
    return End(
        at_us=last,
        outcome=Outcome.INTERRUPTED.value,
        error="the gateway's process ended before the exchange did",
        capture="lost_crash",
    )


def pack_frames(exchange_id: bytes, frames: list[tuple[int, bytes, bytes]]) -> bytes:
    """The frames on their own, as a dead letter keeps them."""
    return b"".join(encode_head(kind, exchange_id, meta, (blob,), UNSEEDED) + blob for kind, meta, blob in frames)


def unpack_frames(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """Raises Incomplete when they are not intact to the last byte."""
    found: list[Frame] = list(walk(data, UNSEEDED))
    if (found[-1].end if found else 0) != len(data):
        raise Incomplete("the dead letter's frames are damaged")
    return [
        (frame.kind, data[frame.meta_start : frame.blob_start], data[frame.blob_start : frame.end]) for frame in found
    ]
