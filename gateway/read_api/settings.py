"""`/settings`: the header rules that are for everything, in the words of the API's clients.

Rules that only some providers, teams, keys or models have, that look for a pattern, touch a credential or stand in
shadow cannot be told in these words: they are neither shown nor touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Schema
from pydantic import Field

from gateway.configuration.revisions import revision
from gateway.history.header_dry_run import dry_run
from gateway.models import HeaderRule
from gateway.policy.header_rules import Direction, RuleState
from gateway.read_api.access import Refused, by_permission, caller_of
from gateway.read_api.application import NARROWED, REFUSED, Error, api

LOOKED_AT: Final = 100
"""Requests that each new rule is tried on before it goes live."""
FIRST, STEP = 100, 10
LOOKS = "gateway.view_headerrule"
CHANGES = ("gateway.add_headerrule", "gateway.change_headerrule", "gateway.delete_headerrule")
Line = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00\r\n]*$")]


class HeaderRuleObject(Schema):
    """`value`: for set the value, for replace what stands there then; `find`: for replace what is looked for."""

    header: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]
    action: Literal["block", "set", "replace"]
    value: Line = ""
    find: Line = ""
    enabled: bool


class ProxySettings(Schema):
    """The rules of each way act in their order. One that is not enabled does nothing."""

    requestHeaderRules: Annotated[list[HeaderRuleObject], Field(max_length=50)]
    responseHeaderRules: Annotated[list[HeaderRuleObject], Field(max_length=50)]


@api.get(
    "/settings",
    auth=by_permission(LOOKS),
    response={200: ProxySettings, **REFUSED},
    summary="The header rules that are for everything",
)
def read_settings(request: HttpRequest) -> dict[str, Any]:
    return settings_object()


@api.put(
    "/settings",
    auth=by_permission(*CHANGES, admins=True),
    response={200: ProxySettings, 400: Error, 409: Error, **NARROWED},
    summary="Replace the header rules that are for everything",
)
def write_settings(request: HttpRequest, wanted: ProxySettings) -> dict[str, Any]:
    """A new version of the configuration, which can be gone back from. A rule goes live after a dry run on the newest
    requests; one that would break a request is refused, and nothing is changed."""
    caller = caller_of(request)
    sides = ((Direction.REQUEST, wanted.requestHeaderRules), (Direction.RESPONSE, wanted.responseHeaderRules))
    with revision(caller.user, note="by the API"):
        for direction, rules in sides:
            replace(direction, rules, caller.name)
    return settings_object()


def settings_object() -> dict[str, Any]:
    return {
        f"{direction.value}HeaderRules": [
            {
                "header": rule.header,
                "action": rule.action,
                "value": rule.value,
                "find": rule.find,
                "enabled": is_enabled(rule),
            }
            for rule in told_rules(direction)
        ]
        for direction in Direction
    }


def is_enabled(rule: HeaderRule) -> bool:
    return rule.enabled and rule.state == RuleState.LIVE


def told_rules(direction: Direction) -> QuerySet[HeaderRule]:
    for_all: dict[str, Any] = {name: [] for name in ("providers", "teams", "keys", "models")}
    plain = HeaderRule.objects.filter(direction=direction.value, is_pattern=False, danger=False, **for_all)
    return plain.exclude(state=RuleState.SHADOW.value)


def replace(direction: Direction, wanted: Sequence[HeaderRuleObject], name: str) -> None:
    """One that is there already keeps its name. Raises Refused."""
    present = {content(rule): rule for rule in told_rules(direction)}
    rules = []
    for place, each in enumerate(wanted):
        known = present.pop((each.header.lower(), each.action, each.value, each.find), None)
        rule = known or HeaderRule(
            direction=direction.value, header=each.header, action=each.action, value=each.value, find=each.find
        )
        rule.position = FIRST + STEP * place
        rules.append((rule, each.enabled))
    for gone in present.values():
        gone.delete()
    taken = set(HeaderRule.objects.values_list("name", flat=True))
    for rule, enabled in rules:
        rule.name = rule.name or free_name(direction, taken)
        taken.add(rule.name)
        keep(rule, enabled=enabled, author=name)


def content(rule: HeaderRule) -> tuple[str, str, str, str]:
    return rule.header.lower(), rule.action, rule.value, rule.find


def free_name(direction: Direction, taken: set[str]) -> str:
    return next(name for at in range(1, 100_000) if (name := f"settings-{direction.value}-{at}") not in taken)


def keep(rule: HeaderRule, *, enabled: bool, author: str) -> None:
    """Raises Refused."""
    if rule.pk is None:
        rule.state = RuleState.DRAFT.value
    rule.enabled = enabled
    try:
        rule.full_clean()
    except ValidationError as wrong:
        raise Refused(400, f"The rule on {rule.header} cannot be.", " ".join(wrong.messages)) from None
    rule.save()
    if not enabled or rule.state == RuleState.LIVE:
        return
    run = rule.dry_run or dry_run(rule, LOOKED_AT, author)
    if run.broken:
        told = f"The rule on {rule.header} would break {run.broken} of the newest {run.looked_at} requests."
        raise Refused(409, told, "Look at its dry run in the admin, under Header rules, and make it there.")
    rule.move_to(RuleState.LIVE)
