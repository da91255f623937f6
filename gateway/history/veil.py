"""What is hidden from whoever reads, at the few places where stored text is taken out of the history to be shown.

The middleware of the pages draws the veil (`drawn`) for the person who asks; a command sees without one, because
whoever may run it may read the database. The code that reads asks `curtain_of(team)`: None, where nothing is hidden.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import Any

import msgspec

from gateway.dialects.json_values import NotJSONError, read_json, write_json
from gateway.models import Member, Redaction
from gateway.models.tree import Scope
from gateway.policy.view_redaction import Curtain, RedactionRule


class Veil:
    """For one person and one look. `reveals`: they want to see what they may see; it is to be written down."""

    def __init__(self, user: Any = None, *, reveals: bool = False) -> None:
        self.user = user
        self.reveals = reveals
        self._curtains: dict[tuple[str, bool], Curtain | None] = {}
        self._teams: dict[int, str] = {}
        self.hiding: set[str] = set()
        """Names of the rules that hid something of what was read."""
        self.can_reveal = False
        self.revealed: set[str] = set()
        """Names of the rules that did not hide because the person wanted to see."""

    @cached_property
    def rules(self) -> tuple[RedactionRule, ...]:
        return tuple(
            RedactionRule(row.name, tuple(row.patterns), row.secrets, frozenset(row.teams), frozenset(row.revealed_by))
            for row in Redaction._default_manager.filter(enabled=True)
        )

    @cached_property
    def places(self) -> frozenset[tuple[str, str | None]]:
        """The person's roles, each with its team; of no team: for all."""
        if self.user is None or not self.user.is_authenticated or not self.user.is_active:
            return frozenset()
        return frozenset(Member.objects.filter(user_id=self.user.pk).values_list("role", "team__name"))

    def may_reveal(self, rule: RedactionRule, team: str) -> bool:
        if self.user is None or not self.user.is_active:
            return False
        roles = {role for role, of in self.places if of is None or of == team}
        return bool(self.user.is_superuser or roles & rule.revealed_by)

    def hidden(self, team: str, *, reveals: bool) -> list[RedactionRule]:
        """The rules that hide from this person what that team said."""
        about = [rule for rule in self.rules if rule.is_about(team)]
        return [rule for rule in about if not (reveals and self.may_reveal(rule, team))]

    def curtain(self, team: str) -> Curtain | None:
        known = (team, self.reveals)
        if known not in self._curtains:
            every = self.hidden(team, reveals=False)
            left = self.hidden(team, reveals=True)
            hidden = left if self.reveals else every
            self.can_reveal = self.can_reveal or len(left) < len(every)
            self.revealed |= {rule.name for rule in every if rule not in hidden}
            self._curtains[known] = Curtain(hidden, self.hiding.add) if hidden else None
        return self._curtains[known]

    def team_of(self, scope: int) -> str:
        if scope not in self._teams:
            self._teams[scope] = Scope.objects.filter(id=scope).values_list("team", flat=True).first() or ""
        return self._teams[scope]


current: ContextVar[Veil | None] = ContextVar("veil", default=None)


@contextmanager
def drawn(veil: Veil) -> Iterator[Veil]:
    token = current.set(veil)
    try:
        yield veil
    finally:
        current.reset(token)


def curtain_of(team: str) -> Curtain | None:
    """What hides, from who asks now, parts of what that team said; None: nothing does."""
    veil = current.get()
    return veil.curtain(team) if veil is not None and veil.rules else None


def curtain_of_scope(scope: int) -> Curtain | None:
    """The same for the texts of a scope."""
    veil = current.get()
    if veil is None or not veil.rules:
        return None
    return veil.curtain(veil.team_of(scope) if scope else "")


def shown_value(value: Any, team: str) -> Any:
    curtain = curtain_of(team)
    return value if curtain is None else curtain.value(value)


def shown_text(text: str, team: str) -> str:
    curtain = curtain_of(team)
    return text if curtain is None else curtain.text(text)


def shown_body(body: bytes, team: str) -> bytes:
    """A body without content coding, to be looked at: JSON as JSON, what is none as text. The same bytes where nothing
    of them is hidden."""
    curtain = curtain_of(team)
    if curtain is None or not body:
        return body
    try:
        value = read_json(body).value
        seen = curtain.value(value)
        return body if seen == value else write_json(seen)
    except (NotJSONError, RecursionError, msgspec.MsgspecError):
        text = body.decode("utf-8", "replace")
        seen_text = curtain.text(text)
        return body if seen_text == text else seen_text.encode("utf-8", "replace")
