"""What the hot path knows of the configuration: immutable, in memory, replaced whole when ops change something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.dialects.names import Dialect, ProviderDialect, Shortcut
from gateway.dialects.profile import Profile
from gateway.dialects.profiles import DEFAULT_PROFILE
from gateway.policy.breaker import BreakerRules
from gateway.policy.caching_rules import Caching
from gateway.policy.capture import CapturePolicies
from gateway.policy.content_rules import RefusingRules
from gateway.policy.credential_choice import CredentialEntry
from gateway.policy.header_ways import HeaderRules
from gateway.policy.networks import Networks
from gateway.policy.retries import RetryRules
from gateway.policy.rulebook import Rulebook
from gateway.policy.strategies import Scenario, Strategy
from gateway.policy.transport import TransportSettings
from gateway.policy.waiting import QueueRules

if TYPE_CHECKING:
    from gateway.policy.catalogue import Catalogue
    from gateway.policy.conditional_routes import ConditionalRoutes
    from gateway.policy.routing import Plan

DEFAULT_BREAKER = BreakerRules()
ANYWHERE = Networks()


@dataclass(frozen=True, slots=True)
class HealthRules:
    """A GET of `path` every `interval` seconds; `failures` in a row mean that it is down."""

    path: str
    interval: float = 30.0
    timeout: float = 5.0
    failures: int = 3


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    """A provider as the relay needs it. `address` is origin and path prefix, without a trailing slash or `/v1`."""

    name: str
    dialect: ProviderDialect
    address: str
    credential: str | None = field(default=None, repr=False)
    """The key in clear that the gateway uses for it, when it has one: the first of `credentials`."""
    credentials: tuple[CredentialEntry, ...] = ()
    """Empty: at most the one above."""
    profile: Profile = DEFAULT_PROFILE
    """What it takes and how it speaks, for what is translated."""
    keyless: bool = False
    """It asks for no credential."""
    region: str = ""
    extra_headers: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)
    """With lower-case names; each replaces one of that name."""
    slow_seconds: float | None = None
    transport: TransportSettings | None = None
    """None: as the environment says."""
    breaker: BreakerRules = DEFAULT_BREAKER
    retry: RetryRules | None = None
    """None: a request is sent once."""
    queue: QueueRules | None = None
    """None: any number of requests at once."""
    health: HealthRules | None = None


@dataclass(frozen=True, slots=True)
class TargetEntry:
    """`model` empty: the caller's is kept. `price`: US dollars for a million tokens in and a million out; None:
    unknown."""

    provider: str
    model: str = ""
    weight: int = 1
    price: float | None = None


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must hold beside the model's name. Empty and None: nothing is asked."""

    scenario: Scenario | None = None
    min_tokens: int = 60_000
    """Where `long_context` begins."""
    dialects: frozenset[Dialect] = frozenset()
    keys: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    headers: tuple[tuple[bytes, str], ...] = ()
    """Lower-case name, and the value or pattern."""
    min_bytes: int | None = None
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class RouteEntry:
    """`provider` and `model` are the first target; `targets` holds those after it."""

    match: str
    provider: str
    model: str
    """Empty: the caller's model is kept."""
    demote: bool = False
    """A call for a whole answer goes out as one for a stream."""
    shortcuts: frozenset[Shortcut] = frozenset()
    name: str = ""
    conditions: Conditions | None = None
    strategy: Strategy = Strategy.IN_ORDER
    targets: tuple[TargetEntry, ...] = ()
    weight: int = 1
    price: float | None = None
    fallback_on: frozenset[str] = frozenset()
    """Empty: 429, 5xx, connect, timeout, broken."""

    @property
    def all_targets(self) -> tuple[TargetEntry, ...]:
        return (TargetEntry(self.provider, self.model, self.weight, self.price), *self.targets)


@dataclass(frozen=True, slots=True)
class Candidates:
    """The routes that a model's name fits: those with conditions, None without any, and the one without."""

    conditional: ConditionalRoutes | None
    plain: RouteEntry | None


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a key stands for, and what it is good for. Empty sets and tuples: everything."""

    name: str
    team: str = ""
    member: str = ""
    """The person it belongs to; empty: a service."""
    expires_at: float | None = None
    """Unix time; None: never."""
    revoked: bool = False
    dialects: frozenset[Dialect] = frozenset()
    models: tuple[str, ...] = ()
    """Names or patterns."""
    providers: frozenset[str] = frozenset()
    networks: Networks = ANYWHERE
    priority: int = 0
    region: str = ""
    signing_secret: bytes | None = field(default=None, repr=False)
    """Its requests must be signed with it; None: they need not be."""
    debug_until: float = 0.0


@dataclass(frozen=True, slots=True)
class ValidationBounds:
    max_messages: int
    max_content_bytes: int
    max_system_bytes: int
    max_output_tokens: int
    max_top_logprobs: int


@dataclass(frozen=True, slots=True)
class BreakerHeld:
    """A breaker held by a person; `model` empty: those of every model."""

    provider: str
    model: str
    is_open: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`providers` always holds the two defaults, `anthropic` and `openai`. `exact_routes` by model name and
    `pattern_routes` in the order they are tried, both without conditions; `conditional_routes` are those with some, and
    go before them. `callers` by the key's digest (HMAC-SHA256)."""

    version: int
    keyed: bool
    providers: Mapping[str, ProviderEntry]
    exact_routes: Mapping[str, RouteEntry] = field(default_factory=dict)
    pattern_routes: tuple[RouteEntry, ...] = ()
    callers: Mapping[bytes, Caller] = field(default_factory=dict, repr=False)
    conditional_routes: tuple[RouteEntry, ...] = ()
    scenarios: frozenset[Scenario] = frozenset()
    """Those that any route asks for: what need not be known of a request is not looked for."""
    networks: Networks = ANYWHERE
    holds: tuple[BreakerHeld, ...] = ()
    region_fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    validation: ValidationBounds | None = None
    """None: requests are not judged here."""
    header_rules: HeaderRules | None = None
    """None: headers are left as they are."""
    caching: Caching | None = None
    """None: every request is answered by its provider."""
    rulebook: Rulebook | None = None
    """None: nothing is limited."""
    capture: CapturePolicies | None = None
    """None: everything is kept."""
    refusing: RefusingRules | None = None
    """None: no request is refused for what it says."""
    candidates: dict[str, Candidates] = field(default_factory=dict, init=False, repr=False, compare=False)
    """By model, as they were found: many patterns are looked through once for a name. Kept by `find_route`."""
    plans: dict[tuple[Dialect, str, int], tuple[Catalogue, Plan]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """By dialect, model and route, for callers who may go anywhere, with the listings they were made by. Kept by
    `remembered_plan`."""
