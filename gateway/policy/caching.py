"""To exactly which question an answer may be given again. Pure.

An answer is given again to the caller it was made for and to nobody else, for the same bytes asked in the same way
under the same configuration. What of the body does not count the rule says, by the names of its top-level members.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.dialects.json_members import closes_at, members_of
from gateway.policy.access import Admitted, Presented
from gateway.policy.caching_rules import CacheRule

CACHE = b"x-turnlog-cache"
"""Of a request: what it wants of the kept answers; of an answer: that it is one."""
ALWAYS_VARIED = (
    b"accept", b"accept-encoding", b"anthropic-beta", b"anthropic-version", b"content-encoding", b"content-type",
    b"openai-beta", b"openai-organization", b"openai-project", b"anthropic-workspace-id",
)  # fmt: skip
"""Headers that change what an answer is or how it is written."""
STATEFUL = (b'"previous_response_id"', b'"background"', b'"conversation"', b'"container"')
"""Members of bodies whose answer depends on more than the body."""


@dataclass(frozen=True, slots=True)
class CacheQuestion:
    """Everything an answer depends on. `way`: where it leads, and what is done to it on the way."""

    caller: bytes
    dialect: str
    method: str
    target: bytes
    headers: Sequence[tuple[bytes, bytes]] = field(repr=False)
    body: bytes = field(repr=False)
    way: tuple[str, ...] = ()


def caller_of(admitted: Admitted | None, presented: Presented) -> bytes | None:
    """Who the answer is for: the key, and the credential that goes along; None: nobody that could be told apart."""
    if admitted is None:
        return None
    key = admitted.caller.name if admitted.caller is not None else ""
    own = presented.own if admitted.own_passes else ()
    return joined([b"caller", key.encode(), *own]) if key or any(own) else None


def digest(question: CacheQuestion, rule: CacheRule) -> bytes | None:
    """32 bytes; None: it is not known what the body depends on."""
    if any(name in question.body for name in STATEFUL):
        return None
    body = [question.body] if not rule.ignored else counted_parts(question.body, rule.ignored)
    if body is None:
        return None
    varied = (*ALWAYS_VARIED, *rule.varied)
    headers = [part for name, value in question.headers if name in varied for part in (name, value)]
    parts = [
        question.caller, question.dialect.encode(), question.method.encode(), question.target,
        joined([way.encode() for way in question.way]), joined(headers), joined(body), rule.name.encode(),
    ]  # fmt: skip
    return hashlib.sha256(joined(parts)).digest()


def counted_parts(body: bytes, ignored: frozenset[bytes]) -> list[bytes] | None:
    """Keys and values, by key, without those ignored; None where a key stands twice or it is no whole object."""
    members = list(members_of(body))
    keys = [member.key[1:-1] for member in members]
    if not members or len(set(keys)) < len(keys) or any(b"\\" in key for key in keys):
        return None
    if not closes_at(body, members[-1].end):
        return None
    counted = sorted((key, body[member.start : member.end]) for key, member in zip(keys, members, strict=True))
    return [part for key, value in counted if key not in ignored for part in (key, value)]


def joined(parts: Iterable[bytes]) -> bytes:
    """So that no two lists become the same bytes."""
    return b"".join(b"%d:%b" % (len(part), part) for part in parts)
