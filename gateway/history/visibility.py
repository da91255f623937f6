"""Who sees what of the history. Every read on behalf of a person starts here.

A member or lead sees what their teams' keys made. An admin, a superuser, and whoever has the permission
`gateway.view_every_team`, sees everything, also what belongs to no team. Ops see figures, not prompts and answers, so
by themselves they see none of this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from gateway.models import Member, RequestLog

SEES_EVERY_TEAM = "gateway.view_every_team"


@dataclass(frozen=True, slots=True)
class Sight:
    """The teams whose requests may be seen, by name; None: all of them, and those of no team."""

    teams: frozenset[str] | None

    def requests(self) -> QuerySet[RequestLog]:
        """The rows that may be seen. Everything else is found from these by id."""
        if self.teams is None:
            return RequestLog.objects.all()
        return RequestLog.objects.filter(team__in=sorted(self.teams))


EVERYTHING = Sight(None)
"""What the terminal sees: whoever may run a command may read the database."""


def visible_to(user: AbstractBaseUser | AnonymousUser) -> Sight:
    """What this person may see of the history; nothing when they are unknown or not active."""
    if not user.is_active:
        return Sight(frozenset())
    account: Any = user
    if account.has_perm(SEES_EVERY_TEAM):
        return EVERYTHING
    memberships = Member.objects.filter(user_id=account.pk)
    if memberships.filter(role=Member.Role.ADMIN, team=None).exists():
        return EVERYTHING
    reading = (Member.Role.MEMBER, Member.Role.LEAD, Member.Role.ADMIN)
    names = memberships.filter(role__in=reading, team__isnull=False).values_list("team__name", flat=True)
    return Sight(frozenset(names))


def figures_for(user: AbstractBaseUser | AnonymousUser) -> Sight:
    """Of which teams this person may see sums: of those whose requests they see, and as ops of those they run."""
    rows = visible_to(user)
    if rows.teams is None or not user.is_active:
        return rows
    running = Member.objects.filter(user_id=user.pk, role=Member.Role.OPS)
    names = set(running.values_list("team__name", flat=True))
    return EVERYTHING if None in names else Sight(rows.teams | names)
