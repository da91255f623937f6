"""A message to a webhook: one POST, to an address that is checked when it is connected to, redirects not followed.

Signed as Standard Webhooks has it (webhook-id, webhook-timestamp, webhook-signature), so that receivers find libraries
that check it. `webhook-id` and `Idempotency-Key` are the announcement's own, and the same however often it is sent.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import time
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings

from gateway.policy.reach import Reach
from gateway.upstream.client import HeaderPairs, Timeouts, UpstreamClient
from gateway.upstream.failures import UpstreamFailure

SECONDS: Final = 10.0
MOST_SHOWN: Final = 200
ENCODED: Final = "whsec_"


class NotSent(Exception):
    """Why a message was not taken, in a sentence that names no secret."""


def reach_of_channels() -> Reach:
    """Public addresses, and the hosts the environment allows by name: whoever may edit channels is not to reach into
    the network with them."""
    return Reach(frozenset(host.lower() for host in settings.TURNLOG.upstream_allow_hosts), restricted=True)


def post(address: str, body: bytes, uid: str, secret: str = "") -> None:
    """Returns when it was taken, with a status of 2xx. Raises NotSent."""
    split = urlsplit(address)
    headers: HeaderPairs = [
        (b"host", split.netloc.encode("ascii")),
        (b"user-agent", b"turnlog"),
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"idempotency-key", uid.encode()),
        *signature(uid, body, secret, int(time.time())),
    ]
    target = (split.path or "/") + (f"?{split.query}" if split.query else "")
    origin = f"{split.scheme}://{split.netloc}"
    status, said = asyncio.run(ask(origin, target.encode("ascii"), headers, body))
    if 300 <= status < 400:
        raise NotSent(f"it answered {status}: redirects are not followed, give the address it leads to")
    if status >= 300 or status < 200:
        raise NotSent(f"it answered {status}: {said}".rstrip(": "))


async def ask(origin: str, target: bytes, headers: HeaderPairs, body: bytes) -> tuple[int, str]:
    """The status, and the beginning of what it said. Raises NotSent."""
    timeouts = Timeouts(connect=SECONDS, write=SECONDS, headers=SECONDS, read=SECONDS)
    client = UpstreamClient(timeouts, reach=reach_of_channels())
    try:
        async with asyncio.timeout(SECONDS):
            response = await client.send("POST", origin, target, headers, body)
            said = b""
            async for chunk in response.stream:  # type: ignore[union-attr]
                said += chunk
                if len(said) >= MOST_SHOWN:
                    break
            response.stream.abort()  # type: ignore[union-attr]
    except TimeoutError:
        raise NotSent(f"no answer within {SECONDS:g} s") from None
    except UpstreamFailure as failure:
        raise NotSent(failure.reason) from failure
    except OSError as problem:
        raise NotSent(str(problem)) from problem
    finally:
        await client.aclose()
    return response.status_code, " ".join(said[:MOST_SHOWN].decode("utf-8", "replace").split())


def signature(uid: str, body: bytes, secret: str, seconds: int) -> HeaderPairs:
    if not secret:
        return []
    signed = f"{uid}.{seconds}.".encode() + body
    digest = base64.b64encode(hmac.digest(key_of(secret), signed, "sha256"))
    return [
        (b"webhook-id", uid.encode()),
        (b"webhook-timestamp", b"%d" % seconds),
        (b"webhook-signature", b"v1," + digest),
    ]


def key_of(secret: str) -> bytes:
    """What follows whsec_ is Base64; any other secret is taken as it is."""
    if secret.startswith(ENCODED):
        try:
            return base64.b64decode(secret.removeprefix(ENCODED), validate=True)
        except binascii.Error:
            pass
    return secret.encode()
