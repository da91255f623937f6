"""Who sees what of the history. Every read on behalf of a person starts here.

A member or lead reads what their teams' keys made. An admin, a superuser, and whoever has the permission
`gateway.view_every_team`, reads everything, also what belongs to no team. Ops see the same rows with their figures, of
every team or of the one they are ops of, but no prompt and no answer: what is said is `requests()`, `reads()` and
`may_see_bodies()`; lists and sums alone are `listed()` and `figures`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from gateway.models import Member, RequestLog

SEES_EVERY_TEAM = "gateway.view_every_team"
READING = (Member.Role.MEMBER, Member.Role.LEAD, Member.Role.ADMIN)
NO_TEAM: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Sight:
    """Of which teams, by name; None: of all, and of none. `teams`: those whose prompts and answers may be read, which
    includes their figures; `figures_only`: those of which the figures alone may be seen."""

    teams: frozenset[str] | None
    figures_only: frozenset[str] | None = NO_TEAM

    @property
    def figures(self) -> frozenset[str] | None:
        """The teams whose rows may be listed and summed up."""
        if self.teams is None or self.figures_only is None:
            return None
        return self.teams | self.figures_only

    def of_figures(self) -> Sight:
        """What may be listed, as if it might be read, too: for code that looks at no prompt and no answer."""
        return Sight(self.figures)

    def requests(self) -> QuerySet[RequestLog]:
        """The rows whose prompts and answers may be read. Everything else is found from these by id."""
        return rows_of(self.teams)

    def listed(self) -> QuerySet[RequestLog]:
        """The rows that may be shown in lists, with their figures; more than may be read."""
        return rows_of(self.figures)

    def reads(self, team: str) -> bool:
        """Whether the prompts and answers of this team's requests may be read; "" is no team."""
        return self.teams is None or team in self.teams


EVERYTHING = Sight(None)
"""What the terminal sees: whoever may run a command may read the database."""


def rows_of(teams: frozenset[str] | None) -> QuerySet[RequestLog]:
    if teams is None:
        return RequestLog.objects.all()
    return RequestLog.objects.filter(team__in=sorted(teams))


def visible_to(user: AbstractBaseUser | AnonymousUser) -> Sight:
    """What this person may see of the history; nothing when they are unknown or not active."""
    if not user.is_active:
        return Sight(NO_TEAM)
    account: Any = user
    if account.has_perm(SEES_EVERY_TEAM):
        return EVERYTHING
    rows = Member.objects.filter(user_id=account.pk)
    places: set[tuple[str, str | None]] = set(rows.values_list("role", "team__name"))
    if (Member.Role.ADMIN, None) in places:
        return EVERYTHING
    reading = frozenset(team for role, team in places if role in READING and team is not None)
    if (Member.Role.OPS, None) in places:
        return Sight(reading, None)
    return Sight(reading, frozenset(team for role, team in places if role == Member.Role.OPS and team is not None))


def may_see_bodies(user: AbstractBaseUser | AnonymousUser, team: str | None = None) -> bool:
    """Whether a person may read prompts and answers: those of one team ("" is no team), or, when none is named, any."""
    sight = visible_to(user)
    return sight.teams is None or (bool(sight.teams) if team is None else team in sight.teams)
