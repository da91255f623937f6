"""Requests that Turnlog itself sends through the gateway: replays of the history, the self-test, questions to a judge.

They carry an errand in the place of a key, sealed with a key derived from the installation's secret: who can make one
can read the database too. It says where the request goes, it is good for a few minutes, and what it leads to is marked
and counts as nobody's usage, but that a judge's cost is counted, for the team whose prompt it graded. It never leaves
the gateway.
"""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import asdict, dataclass

PREFIX = b"tle_"
LIFETIME_SECONDS = 300.0
REPLAY = "replay"
SELFTEST = "selftest"
GRADING = "grading"
COUNTED = ("", GRADING)
"""The purposes of what costs somebody something: clients' own requests, and a judge's."""


@dataclass(frozen=True, slots=True)
class Errand:
    """`purpose` is REPLAY, SELFTEST or GRADING. A replay goes to the provider of that name and says which exchange it
    repeats, in 32 hex digits; a self-test goes to a port of this machine's own loopback; a question to a judge goes by
    the routes, for a team."""

    purpose: str
    provider: str = ""
    replay_of: str = ""
    port: int = 0
    team: str = ""

    @property
    def follows_routes(self) -> bool:
        """It is decided where it goes as for anybody's request."""
        return self.purpose == GRADING

    @property
    def replayed_id(self) -> bytes:
        return bytes.fromhex(self.replay_of)


def seal_errand(errand: Errand, key: bytes, now: float) -> str:
    """`now` is Unix time."""
    said = json.dumps({**asdict(errand), "expires": now + LIFETIME_SECONDS}).encode()
    text = base64.urlsafe_b64encode(said)
    return f"{PREFIX.decode()}{text.decode()}.{digest(text, key)}"


def open_errand(value: bytes, key: bytes, now: float) -> Errand | None:
    """None for what is no errand, was not sealed here, or is too old."""
    if not value.startswith(PREFIX):
        return None
    text, _, seal = value.removeprefix(PREFIX).partition(b".")
    if not hmac.compare_digest(digest(text, key).encode(), seal):
        return None
    said = json.loads(base64.urlsafe_b64decode(text))
    return Errand(**said) if said.pop("expires") > now else None


def digest(text: bytes, key: bytes) -> str:
    return hmac.digest(key, text, "sha256").hex()
