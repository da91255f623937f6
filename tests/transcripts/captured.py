"""Exchanges of real clients with a scripted provider, one JSON object a line in `captures/`, read as bytes."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

from gateway.dialects.names import Dialect

FOLDER = Path(__file__).parent / "captures"
HeaderPairs = list[tuple[bytes, bytes]]


class Exchange(NamedTuple):
    name: str
    path: str
    request_headers: HeaderPairs
    request_body: bytes
    status: int
    response_headers: HeaderPairs
    response_body: bytes

    @property
    def dialect(self) -> Dialect:
        return Dialect.RESPONSES if self.path.startswith("/v1/responses") else Dialect.ANTHROPIC

    @property
    def content_type(self) -> str:
        return next(value.decode() for name, value in self.response_headers if name.lower() == b"content-type")

    @property
    def is_stream(self) -> bool:
        return self.content_type.startswith("text/event-stream")

    def __str__(self) -> str:
        return self.name


@cache
def exchanges() -> tuple[Exchange, ...]:
    """All of them, named `<file>-<line>`, lines counted from 1."""
    return tuple(
        _read(f"{file.stem}-{number}", line)
        for file in sorted(FOLDER.glob("*.jsonl"))
        for number, line in enumerate(file.read_bytes().split(b"\n"), 1)
        if line
    )


def streams() -> list[Exchange]:
    return [exchange for exchange in exchanges() if exchange.is_stream]


def exchange(name: str) -> Exchange:
    return next(exchange for exchange in exchanges() if exchange.name == name)


def _read(name: str, line: bytes) -> Exchange:
    record = json.loads(line)
    request, response = record["request"], record["response"]
    return Exchange(
        name=name,
        path=request["path"],
        request_headers=_pairs(request["headers"]),
        request_body=json.dumps(request["body"], ensure_ascii=False, separators=(",", ":")).encode(),
        status=response["status"],
        response_headers=_pairs(response["headers"]),
        response_body=response["body"].encode(),
    )


def _pairs(headers: list[list[str]]) -> HeaderPairs:
    return [(name.encode(), value.encode()) for name, value in headers]
