from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from gateway.recording.loader import Loader
from tests.gateway.recording.recording import record, with_recorder

ANSWER = (
    b'{"type":"message","model":"claude-opus-5-5","stop_reason":"end_turn","content":[],"usage":{"output_tokens":2}}'
)


def keep(spool_dir: Path, bodies: list[bytes], *, path: str = "/v1/messages") -> list[uuid.UUID]:
    """Exchanges with these request bodies, recorded and loaded; their ids, oldest first."""
    ids = with_recorder(
        spool_dir,
        lambda recorder: [
            uuid.UUID(bytes=record(recorder, body=body, chunks=[ANSWER[:30], ANSWER[30:]], path=path).id)
            for body in bodies
        ],
    )
    loader = Loader(spool_dir, tag_headers=("x-team",))
    while loader.round():
        pass
    return ids


@pytest.fixture
def history(tmp_path: Path, transactional_db: None) -> list[uuid.UUID]:
    """Ids of five exchanges in the history, oldest first."""
    return keep(tmp_path / "spool", [b'{"model":"claude-opus-5-5","n":%d}' % n for n in range(5)])
