"""The OTLP endpoint, over HTTP (https://opentelemetry.io/docs/specs/otlp/#otlphttp)."""

from __future__ import annotations

import gzip
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from gateway.policy.failure_kinds import retry_after
from gateway.policy.reach import Reach
from gateway.upstream.client import HeaderPairs
from gateway.upstream.posting import NoAnswer, post_once

AGAIN: Final = frozenset({429, 502, 503, 504})
"""What the protocol calls retryable; every other failure is not, 500 among them."""
MOST_READ: Final = 65_536


class NotTaken(Exception):
    """In a sentence. `again`: whether the same may be taken later, `wait`: after how many seconds, if it said so."""

    def __init__(self, problem: str, *, again: bool, wait: float | None = None) -> None:
        super().__init__(problem)
        self.again, self.wait = again, wait


@dataclass(frozen=True, slots=True)
class Taken:
    """`rejected`: spans of it that were not; `why` they were not, or another word of the receiver."""

    rejected: int
    why: str


def post_spans(body: bytes, environment: Any) -> Taken:
    """Returns when the receiver has them. Raises NotTaken."""
    headers: HeaderPairs = [
        (b"content-type", b"application/x-protobuf"),
        (b"content-encoding", b"gzip"),
        *((name.encode("ascii"), value.encode("ascii")) for name, value in environment.otlp_headers),
    ]
    packed = gzip.compress(body, compresslevel=1, mtime=0)
    # The environment is the operator's word: a collector may lie in the private network.
    reach = Reach(frozenset({urlsplit(environment.otlp_endpoint).hostname or ""}), restricted=True)
    try:
        answer = post_once(environment.otlp_endpoint, headers, packed, reach, MOST_READ)
    except NoAnswer as problem:
        raise NotTaken(str(problem), again=True) from problem
    if not 200 <= answer.status < 300:
        wait = retry_after(answer.headers, time.time())
        raise NotTaken(f"it answered {answer.status}", again=answer.status in AGAIN, wait=wait)
    return read_answer(answer.said)


def read_answer(said: bytes) -> Taken:
    """What cannot be read says nothing against it: the status was one of success."""
    try:
        partial = ExportTraceServiceResponse.FromString(said).partial_success
    except DecodeError:
        return Taken(0, "")
    return Taken(max(0, partial.rejected_spans), partial.error_message[:300])
