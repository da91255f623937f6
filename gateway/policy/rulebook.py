"""Every limit and budget in force, as one value of the snapshot; there is none where nobody has made one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from gateway.policy.budgets import BudgetRule, Rates
from gateway.policy.limits import LimitRule


class Prices(Protocol):
    """A price book (`gateway/pricing`)."""

    def find(self, model: str, provider: str, tier: Any, prompt: int, moment: datetime) -> Any: ...


@dataclass(frozen=True, slots=True)
class Rulebook:
    limits: tuple[LimitRule, ...] = ()
    budgets: tuple[BudgetRule, ...] = ()
    prices: Prices | None = None
    """None: no rule counts money."""
    default_rates: Rates | None = None
    """Of a model without a price; None: it costs nothing that counts."""
    members: Mapping[str, str] = field(default_factory=dict)
    """Who a key belongs to, by the key's name."""
    exempt: frozenset[str] = frozenset()
    """Names of the keys no rule is about."""
    rates: dict[tuple[str, str], Rates | None] = field(default_factory=dict, init=False, repr=False, compare=False)
    """By model and provider, as they were found."""

    @property
    def meters(self) -> bool:
        """Whether any rule counts what answers use."""
        return bool(self.budgets) or any(rule.tokens_per_minute is not None for rule in self.limits)
