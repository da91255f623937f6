"""What a document says of rules, checked beyond the form of each field."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from gateway.configuration.columns import HEADER_RULE, with_defaults
from gateway.configuration.document import HeaderRuleSpec
from gateway.models import HeaderRule
from gateway.policy.header_rules import RuleState


def header_rule_values(spec: HeaderRuleSpec) -> dict[str, Any]:
    """The columns of the rule. Raises ValueError; one that is to be live was dry-run as it is written."""
    values = with_defaults(HeaderRule, HEADER_RULE, spec.columns)
    wanted = HeaderRule(name=spec.name, **values)
    check(wanted)
    if wanted.state == RuleState.LIVE and wanted.dry_run is None:
        raise ValueError(
            f"the header rule {spec.name} has had no dry run as it is written here: apply it with state: draft, look "
            f"at what manage.py headerrules dry-run {spec.name} says, then apply it with state: live"
        )
    return values


def check(row: models.Model) -> None:
    """What the model itself says is wrong. Raises ValueError."""
    try:
        row.clean()
    except ValidationError as error:
        said = (f"{field}: {' '.join(words)}" for field, words in error.message_dict.items())
        raise ValueError("; ".join(said)) from None
