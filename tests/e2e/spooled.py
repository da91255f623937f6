"""What a running gateway has recorded, read from its spool."""

from __future__ import annotations

from gateway.recording.assemble import Recorded, assemble
from gateway.recording.frames import checksum_seed, walk
from gateway.recording.series import frames_path, list_segments, list_series, stubs_path
from tests.e2e.processes import WebProcess, until


def recorded(web: WebProcess) -> list[Recorded]:
    """Every exchange in the spool, oldest first; those still open have the outcome interrupted."""
    exchanges: dict[bytes, list[tuple[int, bytes, bytes]]] = {}
    for directory in list_series(web.data_dir / "spool"):
        seed = checksum_seed(directory.name)
        for number in list_segments(directory):
            for path in (stubs_path(directory, number), frames_path(directory, number)):
                data = path.read_bytes() if path.exists() else b""
                for frame in walk(data, seed):
                    meta, blob = data[frame.meta_start : frame.blob_start], data[frame.blob_start : frame.end]
                    exchanges.setdefault(frame.exchange_id, []).append((frame.kind, meta, blob))
    whole = [assemble(identifier, frames) for identifier, frames in exchanges.items() if frames[0][0] == 1]
    return sorted(whole, key=lambda exchange: exchange.exchange_id)


def find(web: WebProcess, mark: str, count: int = 1) -> Recorded:
    """The newest finished exchange whose query holds `mark`, once there are `count` of them."""

    def finished() -> Recorded | None:
        found = [item for item in recorded(web) if mark in item.admission.query and item.end.at_us > 0]
        return found[-1] if len(found) >= count and found[-1].end.capture != "lost_crash" else None

    found = until(finished, 5, f"the record of {mark}")
    assert found is not None
    return found
