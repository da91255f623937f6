"""One POST of our own to an address somebody gave us: checked when it is connected to, redirects not followed, bounded
in time, and in what is read of the answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from gateway.policy.reach import Reach
from gateway.upstream.client import HeaderPairs, Timeouts, UpstreamClient
from gateway.upstream.failures import UpstreamFailure

SECONDS: Final = 10.0


class NoAnswer(Exception):
    """Why none came, in a sentence that names no secret."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`said`: the beginning of its body, undecoded."""

    status: int
    headers: HeaderPairs
    said: bytes


def post_once(address: str, headers: HeaderPairs, body: bytes, reach: Reach, most_read: int) -> Answer:
    """Send `body` with `headers` beside Host, User-Agent and Content-Length. Raises NoAnswer."""
    split = urlsplit(address)
    pairs: HeaderPairs = [
        (b"host", split.netloc.encode("ascii")),
        (b"user-agent", b"turnlog"),
        (b"content-length", b"%d" % len(body)),
        *headers,
    ]
    target = (split.path or "/") + (f"?{split.query}" if split.query else "")
    return asyncio.run(_ask(f"{split.scheme}://{split.netloc}", target.encode("ascii"), pairs, body, reach, most_read))


async def _ask(origin: str, target: bytes, headers: HeaderPairs, body: bytes, reach: Reach, most_read: int) -> Answer:
    timeouts = Timeouts(connect=SECONDS, write=SECONDS, headers=SECONDS, read=SECONDS)
    client = UpstreamClient(timeouts, reach=reach)
    try:
        async with asyncio.timeout(SECONDS):
            response = await client.send("POST", origin, target, headers, body)
            said = b""
            async for chunk in response.stream:  # type: ignore[union-attr]
                said += chunk
                if len(said) >= most_read:
                    break
            response.stream.abort()  # type: ignore[union-attr]
    except TimeoutError:
        raise NoAnswer(f"no answer within {SECONDS:g} s") from None
    except UpstreamFailure as failure:
        raise NoAnswer(failure.reason) from failure
    except OSError as problem:
        raise NoAnswer(str(problem)) from problem
    finally:
        await client.aclose()
    return Answer(response.status_code, response.headers.raw, said[:most_read])
