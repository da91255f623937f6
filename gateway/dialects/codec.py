"""What a dialect must be able to do to stand on either side of a translation; docs/adding-a-dialect.md goes through it.

All of it is pure. A codec's functions raise nothing but `Refused`, and that only for requests: whatever a provider
sends becomes an `Answer` or a `Failed`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from gateway.dialects.answer import Answer, Failed, StreamEvent
from gateway.dialects.profile import Profile
from gateway.dialects.turn import Loss, Request


class EncodedRequest(msgspec.Struct, frozen=True):
    """A request in its target's dialect. `path` is what to call it at, `headers` are those the body needs beside the
    usual ones (names in lower case)."""

    path: bytes
    body: bytes
    losses: tuple[Loss, ...] = ()
    headers: tuple[tuple[bytes, bytes], ...] = ()


class StreamDecoder(Protocol):
    """A provider's stream into events. Chunks may be cut anywhere; the events are the same."""

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        """The events that `chunk` completes. Nothing follows a `Finished` or `Failed`."""

    def finish(self) -> list[StreamEvent]:
        """The body has ended, as HTTP bodies should: the rest, ending in `Finished` or `Failed` when none came yet."""


class StreamEncoder(Protocol):
    """Events into the caller's stream. `uncited`: there was a citation that it could not say."""

    uncited: bool

    def encode(self, events: Sequence[StreamEvent]) -> bytes:
        """Whole events of the dialect; may be empty."""

    def ping(self) -> bytes:
        """What keeps a silent stream alive, between two events. Before the first event it opens the stream if need
        be."""


class Codec(NamedTuple):
    """`decode_answer` reads the body of a 200 that is one JSON document; an error in it becomes a `Failed`.
    `decode_error` reads an answer of any other status: (status, content type, body).
    What is said to the caller depends on what it asked, so its decoded request goes along."""

    decode_request: Callable[[bytes], Request]
    encode_request: Callable[[Request, Profile], EncodedRequest]
    decode_answer: Callable[[bytes, Request, Profile], Answer | Failed]
    encode_answer: Callable[[Answer, Request], bytes]
    decode_error: Callable[[int, str, bytes], Failed]
    decode_stream: Callable[[Request, Profile], StreamDecoder]
    encode_stream: Callable[[Request], StreamEncoder]
