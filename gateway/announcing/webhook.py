"""A message to a webhook: one POST, to an address that is checked when it is connected to, redirects not followed.

Signed as Standard Webhooks has it (webhook-id, webhook-timestamp, webhook-signature), so that receivers find libraries
that check it. `webhook-id` and `Idempotency-Key` are the announcement's own, and the same however often it is sent.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from typing import Final

from django.conf import settings

from gateway.upstream.addresses import public_reach
from gateway.upstream.client import HeaderPairs
from gateway.upstream.posting import NoAnswer, post_once

MOST_SHOWN: Final = 200
ENCODED: Final = "whsec_"


class NotSent(Exception):
    """Why a message was not taken, in a sentence that names no secret."""


def post(address: str, body: bytes, uid: str, secret: str = "") -> None:
    """Returns when it was taken, with a status of 2xx. Raises NotSent."""
    headers: HeaderPairs = [
        (b"content-type", b"application/json"),
        (b"idempotency-key", uid.encode()),
        *signature(uid, body, secret, int(time.time())),
    ]
    try:
        answer = post_once(address, headers, body, public_reach(settings.TURNLOG), MOST_SHOWN)
    except NoAnswer as problem:
        raise NotSent(str(problem)) from problem
    if 300 <= answer.status < 400:
        raise NotSent(f"it answered {answer.status}: redirects are not followed, give the address it leads to")
    if answer.status >= 300 or answer.status < 200:
        said = " ".join(answer.said.decode("utf-8", "replace").split())
        raise NotSent(f"it answered {answer.status}: {said}".rstrip(": "))


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
