"""What the recorder writes and the loader reads: the payloads of spool frames, versioned by the frame's header.

Times are `at_us`: microseconds since the exchange was admitted, by the monotonic clock; only `started_us` is wall time.
Header pairs are bytes as they came on the wire, with secret values already replaced by their fingerprints.
"""

from __future__ import annotations

import msgspec

from gateway.dialects.turn import Loss

HeaderPairs = list[tuple[bytes, bytes]]


class Admission(msgspec.Struct, array_like=True, frozen=True):
    """The stub written before the provider is contacted. Text of paths and queries is the raw bytes as latin-1."""

    started_us: int
    """Unix time in microseconds."""
    method: str
    path: str
    query: str
    dialect: str
    provider: str
    """Name of the provider chosen; empty when the request was refused before one was."""
    access_key: str
    """Name of the key that opened the gateway; empty in open mode."""
    team: str
    client_address: str
    http_version: str
    headers: HeaderPairs
    body_bytes: int
    requested_model: str | None = None
    routed_model: str | None = None
    is_streaming: bool | None = None
    purpose: str = ""
    """Empty: a client's own request. `replay` and `selftest` are ours, and no usage."""
    replay_of: bytes = b""
    """The id of the exchange whose bytes these are again."""
    handling: str = ""
    """What was done with it beside passing it on: demoted, counted, or synthetic with the short cut's name."""
    label: str = ""
    """The NAME of a path below /t/NAME/."""
    capture_policy: str = ""
    """Which policy says how much is kept, and how: `name: metadata`; empty: none does."""


class BodyPatch(msgspec.Struct, array_like=True, frozen=True):
    """A change made to a request body on its way out: bytes [start, end) of the original became `text`."""

    start: int
    end: int
    text: bytes


class Attempt(msgspec.Struct, array_like=True, frozen=True):
    """One try to reach a provider."""

    provider: str
    address: str
    at_us: int
    connected_us: int | None = None
    headers_us: int | None = None
    status: int | None = None
    error: str | None = None
    phase: str | None = None
    """connect, write, headers or body, when `error` is set; plan: nothing was sent, it was refused by us."""
    model: str | None = None
    """The model asked for when it was another than the caller's."""
    credential: str = ""
    """Name of the gateway's credential that was used."""
    reason: str | None = None
    """Why there was this attempt, where that was not the only way."""


class Translated(msgspec.Struct, array_like=True, frozen=True):
    """The provider was spoken to in another dialect than the caller's. `dialect` is that of the answer as recorded,
    `profile` what was known of the provider, `losses` what did not arrive on the way there or back."""

    dialect: str
    profile: str
    losses: list[Loss] = []


class HeaderChange(msgspec.Struct, array_like=True, frozen=True):
    """The values of one header before rules and after."""

    name: bytes
    before: list[bytes]
    after: list[bytes]


class RulesOfDirection(msgspec.Struct, array_like=True, frozen=True):
    """Rules as (id, name). `shadow` are those in shadow that would have acted, `would` what would have become of the
    headers then, beside what `changes` says did."""

    fired: list[tuple[int, str]] = []
    changes: list[HeaderChange] = []
    shadow: list[tuple[int, str]] = []
    would: list[HeaderChange] = []


class RulesApplied(msgspec.Struct, array_like=True, frozen=True):
    """What header rules did; of a request that was tried more than once, at the last try."""

    request: RulesOfDirection | None = None
    response: RulesOfDirection | None = None


class ResponseHead(msgspec.Struct, array_like=True, frozen=True):
    """The provider's status and headers, or those of our own refusal."""

    at_us: int
    status: int
    headers: HeaderPairs


class End(msgspec.Struct, array_like=True, frozen=True):
    """How the exchange ended."""

    at_us: int
    outcome: str
    error: str | None = None
    """Why it broke, in words, when it did."""
    attempts: list[Attempt] = []
    capture: str = "full"
    """full, or why parts of the bytes are missing: lost_disk, lost_backlog, lost_size, recorder_fault, and as a policy
    wants it metadata, capped, masked, mask_failed. What is kept of each direction is always its beginning."""
    response_bytes: int | None = None
    """Bytes of the answer's body that were relayed, kept or not."""


class MeteredAnswer(msgspec.Struct, array_like=True, frozen=True):
    """What was read out of an answer whose bytes are not kept. `usage`: the provider's object, as JSON."""

    usage: bytes = b""
    model: str | None = None
    stop_reason: str | None = None
    error_type: str | None = None
    is_stream: bool = False
    complete: bool | None = None


class Progress(msgspec.Struct, omit_defaults=True, frozen=True):
    """What became known of one exchange since its last frame. The frame's blob holds the bytes it speaks of, in the
    order body, chunks."""

    body: int | None = None
    """Size of the request body in the blob."""
    patches: list[BodyPatch] = []
    head: ResponseHead | None = None
    chunks: list[tuple[int, int]] = []
    """(at_us, size) of each chunk of the answer's body, as it arrived."""
    end: End | None = None
    translated: Translated | None = None
    held: list[tuple[int, int]] = []
    """(at_us, microseconds) of each chunk that the client was slow to take, by the chunk's arrival."""
    rules: RulesApplied | None = None
    """Told again when more of it is known."""
    unkept: list[tuple[int, int]] = []
    """(at_us, size) of chunks whose bytes are not kept."""
    metered: MeteredAnswer | None = None
