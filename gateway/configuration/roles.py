"""The permission groups member, lead, ops and admin: what each may do in the pages, and who is in them.

The groups are kept by every migrate, so that a new model is in the right ones at once: what is changed in them by hand
does not stay (make a group of one's own for that). Who is in them follows from the members: a place in a team, or in
none, puts a person into its role's group. Whose requests are shown is not decided here but in
`gateway/history/visibility.py`.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.db import connections
from django.db.models import Q, QuerySet

from gateway.models import Member
from gateway.models.limits import EXEMPT

Role = Member.Role
OURS = ("gateway", "dashboard")
"""The apps whose rows ops may change."""
EVERYONE = ("view_requestlog", "view_rolluphour")
LEADS = (
    *EVERYONE,
    "view_apikey",
    "add_apikey",
    "change_apikey",
    "view_team",
    "view_member",
    "view_finding",
    "change_finding",
)
NOT_FOR_OPS = ("member", "legalhold", "retentionterm", "erasurecertificate", "auditevent")
"""Models that ops see and do not change: people, what is kept how long, and who did what."""


def permissions_of(role: str, using: str) -> QuerySet[Permission]:
    # That a person's keys are exempt from limits is given by hand.
    every = Permission.objects.using(using).exclude(codename=EXEMPT)
    if role == Role.ADMIN:
        return every
    ours = every.filter(content_type__app_label__in=OURS)
    if role == Role.OPS:
        theirs = Q(content_type__model__in=NOT_FOR_OPS) & ~Q(codename__startswith="view_")
        return ours.exclude(theirs | Q(codename="view_every_team"))
    return ours.filter(codename__in=LEADS if role == Role.LEAD else EVERYONE)


def keep_role_groups(sender: Any, using: str, **signal: Any) -> None:
    """After a migrate of the last app, when the permissions of all are there."""
    every_app = [app for app in apps.get_app_configs() if app.models_module is not None]
    tables = connections[using].introspection.table_names()
    if sender is not every_app[-1] or Member._meta.db_table not in tables:
        return
    for app in every_app:
        create_permissions(app, verbosity=0, using=using)
    for role in Role.values:
        group, _ = Group.objects.using(using).get_or_create(name=role)
        group.permissions.set(permissions_of(role, using))


def group_of(role: str, team_id: int | None) -> str:
    """The group that belongs to a place. Ops and admins of one team do not configure the gateway: the one sees the
    team's figures, the other leads it."""
    if team_id is None:
        return role
    return {Role.OPS: Role.MEMBER, Role.ADMIN: Role.LEAD}.get(Role(role), Role(role)).value


def place_in_groups(sender: Any, instance: Member, **signal: Any) -> None:
    """After a member was saved or removed: the person is in the groups of their places, in none else of the four, and
    may open the admin when they have a place."""
    user: Any = instance.user
    places = Member.objects.filter(user_id=instance.user_id).values_list("role", "team_id")
    names = {group_of(role, team_id) for role, team_id in places}
    user.groups.remove(*Group.objects.filter(name__in=set(Role.values) - names))
    user.groups.add(*Group.objects.filter(name__in=names))
    if names and not user.is_staff:
        user.is_staff = True
        user.save(update_fields=["is_staff"])


def teams_led_by(user: Any) -> frozenset[int] | None:
    """The teams, by id, whose keys a person may manage, as far as they may manage any; None: all, for those who may
    change teams."""
    if user.has_perm("gateway.change_team"):
        return None
    leading = Member.objects.filter(user_id=user.pk, role__in=(Role.LEAD, Role.ADMIN), team__isnull=False)
    return frozenset(leading.values_list("team_id", flat=True))
