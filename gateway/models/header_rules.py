"""Rules on headers, and what trying them on recorded traffic showed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from gateway.models.transport import NAME_VALIDATOR
from gateway.models.validators import check_texts
from gateway.policy.header_rule_checks import check_rule, warnings_about
from gateway.policy.header_rules import Action, Direction, HeaderRuleEntry, RuleState

CONTENT = (
    "direction", "header", "action", "value", "find", "is_pattern", "danger", "providers", "teams", "keys", "models",
)  # fmt: skip
"""What a rule does and to what: a dry run stands for these, whatever the rule is called and wherever it stands."""


def names(help_text: str) -> Any:
    return models.JSONField(default=list, blank=True, validators=[check_texts], help_text=help_text)


class HeaderRule(models.Model):
    """What is done to one header. Live ones act, those in shadow are only recorded, drafts do nothing."""

    name = models.CharField(max_length=64, unique=True, validators=[NAME_VALIDATOR])
    direction = models.CharField(
        max_length=8,
        choices=[(choice.value, choice.value) for choice in Direction],
        default=Direction.REQUEST.value,
        help_text="Request: on the way to the provider. Response: on the way to the client",
    )
    position = models.PositiveIntegerField(default=100, help_text="The lowest acts first")
    header = models.CharField(max_length=100, help_text="Its name, in any case")
    action = models.CharField(
        max_length=8,
        choices=[
            (Action.BLOCK.value, "block: remove it"),
            (Action.SET.value, "set: one value, made where there is none"),
            (Action.REPLACE.value, "replace: a part of each value"),
        ],
    )
    find = models.CharField(max_length=4096, blank=True, help_text="Replace: what to look for, as it is written")
    is_pattern = models.BooleanField(
        default=False, help_text="What to look for is a pattern (RE2); the value may name its groups: \\1"
    )
    value = models.CharField(max_length=4096, blank=True, help_text="Set: the value. Replace: what stands there then")
    danger = models.BooleanField(
        default=False, help_text="It is meant to touch the credential that the provider is reached with"
    )
    providers = names("Only for these; empty: for all")
    teams = names("Only for these teams, or names given by /t/NAME")
    keys = names("Only for API keys of these names")
    enabled = models.BooleanField(default=True)
    state = models.CharField(
        max_length=8,
        choices=[
            (RuleState.DRAFT.value, "draft: does nothing"),
            (RuleState.SHADOW.value, "shadow: recorded, not applied"),
            (RuleState.LIVE.value, "live"),
        ],
        default=RuleState.DRAFT.value,
        help_text="Live needs a dry run of the rule as it is written",
    )
    note = models.CharField(max_length=500, blank=True, help_text="What it is for")
    # The last, because within this class the name is then this field's.
    models = names("Only where the provider is asked for these models, or patterns such as claude-*")

    class Meta:
        ordering = ("position", "name")

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        problems = check_rule(
            direction=self.direction,
            header=self.header,
            action=self.action,
            value=self.value,
            find=self.find,
            is_pattern=self.is_pattern,
            danger=self.danger,
        )
        if problems:
            raise ValidationError(problems)

    @property
    def digest(self) -> str:
        """Of what it does; another one needs another dry run."""
        content = {name: getattr(self, name) for name in CONTENT}
        content["header"] = content["header"].lower()
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def move_to(self, state: RuleState) -> None:
        """Raises ValueError: live needs a dry run of the rule as it is written."""
        if state is RuleState.LIVE and self.dry_run is None:
            raise ValueError(f"{self.name} has had no dry run as it is written now: make one first.")
        self.state = state.value
        self.save(update_fields=["state"])

    @property
    def entry(self) -> HeaderRuleEntry:
        """As it would act if it were live."""
        return entry_of({column.attname: getattr(self, column.attname) for column in self._meta.concrete_fields})

    @property
    def warnings(self) -> list[str]:
        return warnings_about(direction=self.direction, header=self.header, action=self.action, value=self.value)

    @property
    def dry_run(self) -> HeaderRuleDryRun | None:
        """The newest one of the rule as it is written."""
        return HeaderRuleDryRun.objects.filter(digest=self.digest).first()


class HeaderRuleDryRun(models.Model):
    """What a rule would have done to recorded requests. Kept when the rule goes, so that it can come back."""

    rule_name = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, help_text="of the rule's content")
    made_at = models.DateTimeField(auto_now_add=True)
    author_name = models.CharField(max_length=150)
    looked_at = models.PositiveIntegerField(help_text="requests")
    changed = models.PositiveIntegerField()
    contract = models.PositiveIntegerField(help_text="of those changed: with a header that begins with anthropic-")
    broken = models.PositiveIntegerField(help_text="of those changed: with a header parted from its half of the body")
    examples = models.JSONField(default=list, help_text="ids of some of those changed, and what breaks there")
    oldest = models.DateTimeField(null=True, help_text="the oldest request looked at")

    class Meta:
        ordering = ("-pk",)
        verbose_name = "dry run"
        indexes = [models.Index(fields=["digest", "-id"], name="dryrun_digest")]

    def __str__(self) -> str:
        return (
            f"of {self.looked_at} requests {self.changed} change, {self.contract} touch anthropic-*, "
            f"{self.broken} break a header and body pair"
        )


def entry_of(row: Mapping[str, Any]) -> HeaderRuleEntry:
    """A row, by its columns, as it acts. Raises ValueError."""
    return HeaderRuleEntry(
        id=row["id"] or 0,
        name=row["name"],
        direction=Direction(row["direction"]),
        header=row["header"].lower().encode(),
        action=Action(row["action"]),
        value=row["value"].encode(),
        find=row["find"].encode(),
        is_pattern=row["is_pattern"],
        is_shadow=row["state"] == RuleState.SHADOW,
        providers=frozenset(row["providers"]),
        teams=frozenset(row["teams"]),
        keys=frozenset(row["keys"]),
        models=tuple(row["models"]),
    )
