"""Who is calling, may they, and which credential the provider is to see.

Two modes. *Open*: nobody is asked; the caller's own credential goes to the provider it was issued for. *Keyed*: a key
of ours must come in `Authorization: Bearer`, `x-api-key` or `x-turnlog-key`. In the first two it stands where the
provider's credential would, so every credential header is removed and the provider's own is put in its place; in
`x-turnlog-key` it leaves room for a credential of the caller's, which is passed on to the default provider.

A caller's credential goes only to the provider it was issued for. On a way that leads to any other it is removed and
that provider's own takes its place; in open mode, where nobody is known, none of the gateway's is ever used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from gateway.dialects.failures import ErrorKind
from gateway.dialects.names import Dialect, ProviderDialect
from gateway.policy.keys import PREFIX, digest_key, is_well_formed
from gateway.policy.patterns import fits
from gateway.policy.snapshot import Caller, ProviderEntry, Snapshot

AUTHORIZATION = b"authorization"
API_KEY = b"x-api-key"
TURNLOG_KEY = b"x-turnlog-key"
KEY_HEADERS = frozenset({AUTHORIZATION, API_KEY, TURNLOG_KEY})
DEFAULT_PROVIDERS = {ProviderDialect.ANTHROPIC: "anthropic", ProviderDialect.OPENAI: "openai"}
ANTHROPIC_SHAPE = b"sk-ant-"
ANTHROPIC_TOKEN_SHAPE = "sk-ant-oat"  # noqa: S105 (a shape, not a token)


NOT_IN_OPEN_MODE = (
    "This request is routed to the provider {}, which is not the one your credential was issued for, and this gateway "
    "is open: it spends none of its own for callers it does not know. Ask whoever runs it for a Turnlog key."
)
ADD_ONE = "Whoever runs this gateway can add one in the admin, or mark the provider as keyless."


@dataclass(frozen=True, slots=True)
class Presented:
    """The credentials of one request, without their scheme, in the order they came."""

    own: tuple[bytes, ...] = ()
    """Values of `Authorization` and `x-api-key`."""
    turnlog: tuple[bytes, ...] = ()
    """Values of `x-turnlog-key`."""

    @property
    def looks_anthropic(self) -> bool:
        return any(value.startswith(ANTHROPIC_SHAPE) for value in self.own)


@dataclass(frozen=True, slots=True)
class Denied:
    """The request may not go on; `message` says what to do. 401 for who is not known, 403 for what is not allowed."""

    message: str
    kind: ErrorKind = ErrorKind.AUTHENTICATION


@dataclass(frozen=True, slots=True)
class Admitted:
    caller: Caller | None
    """None in open mode."""
    own_passes: bool
    """Whether the credential headers are the caller's own, and may reach the default provider."""
    ours: bool = False
    """Turnlog itself asks: it spends the providers' credentials in open mode, too."""


OPEN = Admitted(None, own_passes=True)


class Keep(Enum):
    """The caller's credential headers go out as they came."""

    AS_SENT = "as sent"


@dataclass(frozen=True, slots=True)
class Replace:
    """All credential headers are removed and this one, if any, is put in the place of the first."""

    header: tuple[bytes, bytes] | None


Treatment = Keep | Replace


def read_credentials(headers: Sequence[tuple[bytes, bytes]]) -> Presented:
    """Collect them from header pairs with lower-case names."""
    own: list[bytes] = []
    turnlog: list[bytes] = []
    for name, value in [pair for pair in headers if pair[0] in KEY_HEADERS]:
        if name == AUTHORIZATION:
            own.append(without_scheme(value))
        elif name == API_KEY:
            own.append(value.strip())
        elif name == TURNLOG_KEY:
            turnlog.append(value.strip())
    return Presented(tuple(own), tuple(turnlog))


def without_scheme(value: bytes) -> bytes:
    scheme, _, token = value.strip().partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else value.strip()


def admit(
    snapshot: Snapshot,
    presented: Presented,
    pepper: bytes,
    now: float,
    address: str = "",
    dialect: Dialect | None = None,
) -> Admitted | Denied:
    """Decide from the credentials and where the call comes from. `now` is Unix time, `address` in digits."""
    if not snapshot.networks.admit(address):
        return forbid(f"This gateway takes no requests from {address or 'here'}.")
    if not snapshot.keyed:
        return OPEN
    decided = admit_keyed(snapshot, presented, pepper)
    if isinstance(decided, Admitted) and decided.caller is not None:
        return spent(decided.caller, now) or out_of_scope(decided.caller, address, dialect) or decided
    return decided


def admit_keyed(snapshot: Snapshot, presented: Presented, pepper: bytes) -> Admitted | Denied:
    if presented.turnlog:
        return admit_beside_own(snapshot, presented, pepper)
    for value in presented.own:
        caller = find_caller(snapshot, value, pepper)
        if caller is not None:
            return Admitted(caller, own_passes=False)
    return refuse(presented.own)


def admit_beside_own(snapshot: Snapshot, presented: Presented, pepper: bytes) -> Admitted | Denied:
    caller = find_caller(snapshot, presented.turnlog[0], pepper)
    if caller is None:
        return refuse(presented.turnlog)
    # A key of ours repeated in a credential header is no credential of the caller's: it must not leave the gateway.
    repeated = any(find_caller(snapshot, value, pepper) is not None for value in presented.own)
    return Admitted(caller, own_passes=bool(presented.own) and not repeated)


def find_caller(snapshot: Snapshot, key: bytes, pepper: bytes) -> Caller | None:
    """Looked up by keyed digest: how long that takes says nothing about how much of a guessed key was right."""
    return snapshot.callers.get(digest_key(pepper, key))


def forbid(message: str) -> Denied:
    return Denied(message, ErrorKind.PERMISSION)


def spent(caller: Caller, now: float) -> Denied | None:
    """The key was good once."""
    if caller.revoked:
        return forbid(f"The Turnlog key {caller.name} was revoked. Ask whoever runs this gateway for a new one.")
    if caller.expires_at is not None and caller.expires_at <= now:
        return forbid(f"The Turnlog key {caller.name} has expired. Ask whoever runs this gateway for a new one.")
    return None


def out_of_scope(caller: Caller, address: str, dialect: Dialect | None) -> Denied | None:
    if not caller.networks.admit(address):
        return forbid(f"The Turnlog key {caller.name} may not be used from {address or 'here'}.")
    if caller.dialects and dialect is not None and dialect not in caller.dialects:
        allowed = ", ".join(sorted(caller.dialects))
        return forbid(f"The Turnlog key {caller.name} may not speak {dialect.value}; it may speak {allowed}.")
    return None


def check_model(caller: Caller | None, model: str | None) -> Denied | None:
    """Whether the caller may ask for `model`."""
    if caller is None or not caller.models or model is None:
        return None
    if any(fits(allowed, model) for allowed in caller.models):
        return None
    allowed = ", ".join(caller.models)
    return forbid(f"The Turnlog key {caller.name} may not ask for {model}; it may ask for {allowed}.")


def refuse(values: tuple[bytes, ...]) -> Denied:
    if not any(values):
        return Denied(
            "This gateway needs a Turnlog key. Send it as 'Authorization: Bearer KEY' (ANTHROPIC_AUTH_TOKEN, "
            "OPENAI_API_KEY), as x-api-key (ANTHROPIC_API_KEY) or as x-turnlog-key."
        )
    if any(is_cut_short(value) for value in values):
        return Denied("The Turnlog key was not copied whole: its checksum does not fit. Copy it again.")
    return Denied(
        "The credential sent is not a Turnlog key that opens this gateway: nobody has it. "
        "Ask whoever runs this gateway for a key, and send it as 'Authorization: Bearer KEY' or as x-api-key."
    )


def is_cut_short(value: bytes) -> bool:
    return value.startswith(PREFIX.encode()) and not is_well_formed(value.decode("latin-1"))


def treat_credentials(
    snapshot: Snapshot, admitted: Admitted, presented: Presented, provider: ProviderEntry
) -> Treatment | Denied:
    """Which credential `provider` is to see. In open mode a provider that asks for one is not reached without."""
    if not admitted.own_passes or provider.name != DEFAULT_PROVIDERS[provider.dialect]:
        if provider.keyless:
            return Replace(None)
        if not snapshot.keyed and not admitted.ours:
            return Denied(NOT_IN_OPEN_MODE.format(provider.name))
        if provider.credential is None:
            return Denied(f"The provider {provider.name} has no credential. {ADD_ONE}")
        return Replace(provider_header(provider))
    if presented.looks_anthropic and provider.name != DEFAULT_PROVIDERS[ProviderDialect.ANTHROPIC]:
        return Denied(
            f"The credential sent is Anthropic's (sk-ant-...), and this path leads to the provider {provider.name}, "
            "which must not see it. Send the credential that provider issued."
        )
    return Keep.AS_SENT


def provider_header(provider: ProviderEntry) -> tuple[bytes, bytes] | None:
    """The header with the provider's own credential; None when it has none, as a keyless local engine."""
    return None if provider.credential is None else credential_header(provider.dialect, provider.credential)


def credential_header(dialect: ProviderDialect, credential: str) -> tuple[bytes, bytes]:
    secret = credential.encode("utf-8")
    if dialect is ProviderDialect.ANTHROPIC and not credential.startswith(ANTHROPIC_TOKEN_SHAPE):
        return API_KEY, secret
    return AUTHORIZATION, b"Bearer " + secret
