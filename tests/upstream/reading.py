"""Reads HTTP/1.1 requests off a stream without changing a byte of what matters: target, names, order, body."""

from __future__ import annotations

import asyncio

from tests.upstream.exchange import Pairs, SeenRequest


class BadRequest(Exception):
    """The client did not speak HTTP/1.1; the text says where."""


async def read_head(reader: asyncio.StreamReader) -> tuple[str, bytes, str, Pairs] | None:
    """(method, target, version, header pairs), or None when the client closed between requests."""
    try:
        block = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as cut:
        if not cut.partial:
            return None
        raise
    first, *lines = block[:-4].split(b"\r\n")
    parts = first.split(b" ")
    if len(parts) != 3 or not parts[2].startswith(b"HTTP/"):
        raise BadRequest(f"request line {first[:80]!r}")
    pairs: Pairs = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name.strip() != name:
            raise BadRequest(f"header line {line[:80]!r}")
        pairs.append((name, value.strip(b" \t")))
    return parts[0].decode("latin-1"), parts[1], parts[2][5:].decode("latin-1"), pairs


async def read_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: SeenRequest) -> None:
    """Fills in the body. Raises IncompleteReadError with what had come when the client leaves on the way."""
    if (request.header("expect") or b"").lower() == b"100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if (request.header("transfer-encoding") or b"").lower() == b"chunked":
        request.was_chunked = True
        await read_chunks(reader, request)
    else:
        length = int(request.header("content-length") or 0)
        try:
            request.body = await reader.readexactly(length)
        except asyncio.IncompleteReadError as cut:
            request.body = cut.partial
            raise
    request.is_complete = True


async def read_chunks(reader: asyncio.StreamReader, request: SeenRequest) -> None:
    parts: list[bytes] = []
    try:
        while True:
            size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
            if size == 0:
                break
            parts.append(await reader.readexactly(size))
            if await reader.readexactly(2) != b"\r\n":
                raise BadRequest("chunk without its end")
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass
    finally:
        request.body = b"".join(parts)
