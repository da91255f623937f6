"""Requests signed with a secret that the caller shares with the gateway: who only sees a key cannot use it.

`x-turnlog-signature: t=1732550400,v1=HEX`, where HEX is the HMAC-SHA256 of `t`, method, path with query and the SHA-256
of the body in hex, joined by line feeds.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import OrderedDict

SIGNATURE = b"x-turnlog-signature"
FORM = re.compile(rb"t=(\d{1,12}),v1=([0-9a-f]{64})")
WINDOW_SECONDS = 300.0
REMEMBERED = 100_000


def sign(secret: bytes, moment: int, method: str, target: bytes, body: bytes) -> bytes:
    """The header's value; `moment` in Unix seconds, `target` as it stands in the request line."""
    return b"t=%d,v1=%b" % (moment, digest(secret, b"%d" % moment, method, target, body).encode())


def digest(secret: bytes, moment: bytes, method: str, target: bytes, body: bytes) -> str:
    signed = b"\n".join((moment, method.encode(), target, hashlib.sha256(body).hexdigest().encode()))
    return hmac.new(secret, signed, "sha256").hexdigest()


def check_signature(secret: bytes, value: bytes, method: str, target: bytes, body: bytes, now: float) -> str | None:
    """What is wrong with it; None: nothing is. Whether it was used before is not asked here."""
    if not value:
        return "there is none"
    found = FORM.fullmatch(value.strip())
    if found is None:
        return "its form is not t=SECONDS,v1=HEX"
    if abs(now - int(found[1])) > WINDOW_SECONDS:
        return f"its time is more than {WINDOW_SECONDS:g} s away from the gateway's"
    if not hmac.compare_digest(digest(secret, found[1], method, target, body).encode(), found[2]):
        return "it was made with another secret or for another request"
    return None


class UsedSignatures:
    """Those of the last window, bounded."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, float] = OrderedDict()

    def is_new(self, value: bytes, now: float) -> bool:
        while self._seen and (len(self._seen) > REMEMBERED or next(iter(self._seen.values())) < now):
            self._seen.popitem(last=False)
        if value in self._seen:
            return False
        self._seen[value] = now + 2 * WINDOW_SECONDS
        return True
