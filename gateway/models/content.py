"""What stored texts are watched for, what was found, and what of them is hidden from those who read."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from gateway.models.access import Member
from gateway.models.transport import NAME_VALIDATOR
from gateway.models.validators import check_texts
from gateway.policy import content_rules as policy
from gateway.policy.content_rules import ContentAction, Detector, compile_all
from gateway.policy.secret_shapes import Severity

log = logging.getLogger(__name__)

MOST_PATTERNS = 100
LONGEST_PATTERN = 1000


def check_patterns(value: Any) -> None:
    check_texts(value)
    if len(value) > MOST_PATTERNS or any(len(text) > LONGEST_PATTERN for text in value):
        raise ValidationError(f"At most {MOST_PATTERNS} patterns of {LONGEST_PATTERN} characters.")
    try:
        compile_all(Detector.PATTERNS, tuple(value))
    except ValueError as error:
        raise ValidationError(str(error)) from None


def check_roles(value: Any) -> None:
    check_texts(value)
    wrong = [role for role in value if role not in Member.Role.values]
    if wrong:
        raise ValidationError(f"{', '.join(wrong)}: roles are {', '.join(Member.Role.values)}.")


def revealing_roles() -> list[str]:
    return [Member.Role.ADMIN.value]


def texts(help_text: str, *validators: Any) -> Any:
    return models.JSONField(default=list, blank=True, validators=[check_texts, *validators], help_text=help_text)


class ContentRule(models.Model):
    """Looks at what is said. What is sent and what is stored never change; a refused request is not sent at all."""

    name = models.CharField(max_length=64, unique=True, validators=[NAME_VALIDATOR])
    detector = models.CharField(
        max_length=20,
        choices=[
            (Detector.SECRETS.value, "secrets: keys, tokens, private keys and passwords, by their shapes"),
            (Detector.PROMPT_INJECTION.value, "prompt injection: words that give an agent other orders"),
            (Detector.PATTERNS.value, "patterns: of your own"),
        ],
    )
    action = models.CharField(
        max_length=8,
        default=ContentAction.OBSERVE.value,
        choices=[
            (ContentAction.OBSERVE.value, "observe: list what is found in stored text"),
            (ContentAction.ALERT.value, "alert: list it, and tell those who want to know"),
            (ContentAction.REFUSE.value, "refuse: as alert, and a request whose newest text has it is not sent on"),
        ],
    )
    patterns = texts("RE2 patterns, for the detector of that name; (?i) before one ignores case", check_patterns)
    severity = models.CharField(
        max_length=6,
        choices=[(each.value, each.value) for each in Severity],
        default=Severity.MEDIUM.value,
        help_text="Of what is found; secrets have one by their kind",
    )
    message = models.CharField(max_length=300, blank=True, help_text="Refuse: what the caller is told to do")
    teams = texts("Only for these teams, or names given by /t/NAME; empty: for all")
    keys = texts("Only for API keys of these names, or patterns")
    enabled = models.BooleanField(default=True)
    note = models.CharField(max_length=500, blank=True, help_text="What it is for")
    # The last, because within this class the name is then this field's.
    models = texts("Only where one of these models is asked for, or patterns such as claude-*")

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if (self.detector == Detector.PATTERNS.value) != bool(self.patterns):
            raise ValidationError({"patterns": "The detector 'patterns' needs some, the others have their own."})


def usable_rules(rows: Iterable[Mapping[str, Any]]) -> tuple[policy.ContentRule, ...]:
    """Prepared for use. A rule that cannot be used must not keep the others from being in force."""
    rules = []
    for row in rows:
        try:
            rules.append(rule_of(row))
        except ValueError as error:
            log.error("the content rule %s is not in force: %s", row["name"], error)
    return tuple(rules)


def rule_of(row: Mapping[str, Any]) -> policy.ContentRule:
    """Raises ValueError."""
    detector, patterns = Detector(row["detector"]), tuple(row["patterns"])
    return policy.ContentRule(
        name=row["name"],
        detector=detector,
        action=ContentAction(row["action"]),
        severity=Severity(row["severity"]),
        patterns=patterns,
        teams=frozenset(row["teams"]),
        keys=tuple(row["keys"]),
        models=tuple(row["models"]),
        message=row["message"],
        compiled=compile_all(detector, patterns),
    )


class Redaction(models.Model):
    """Hides parts of stored text from those who read it on pages and by the read API. What is stored stays as it is."""

    name = models.CharField(max_length=64, unique=True, validators=[NAME_VALIDATOR])
    patterns = texts("RE2 patterns; what they fit is shown as [hidden: NAME]", check_patterns)
    secrets = models.BooleanField(default=False, help_text="Hide keys, tokens and passwords, by their shapes")
    teams = texts("Only in what these teams said; empty: of all, and of no team")
    revealed_by = models.JSONField(
        default=revealing_roles,
        blank=True,
        validators=[check_texts, check_roles],
        help_text="Roles that may have it shown all the same, which is written down: member, lead, ops, admin",
    )
    enabled = models.BooleanField(default=True)
    note = models.CharField(max_length=500, blank=True, help_text="What it is for")

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if not self.secrets and not self.patterns:
            raise ValidationError({"patterns": "It hides nothing: give patterns, or tick secrets."})


class Finding(models.Model):
    """Where something stands that a content rule looks for; never what. The same secret is one finding in a team and
    month, and goes when the text it was first found in goes."""

    class State(models.TextChoices):
        OPEN = "open"
        DONE = "done", "done: the secret was changed, the matter is settled"
        HARMLESS = "harmless", "harmless: a false alarm"

    rule = models.CharField(max_length=64)
    kind = models.CharField(max_length=64, help_text="What it looks like")
    severity = models.CharField(max_length=6, choices=[(each.value, each.value) for each in Severity])
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    note = models.CharField(max_length=500, blank=True)
    found_at = models.DateTimeField(auto_now_add=True)
    request_id = models.UUIDField(help_text="The request that first brought it")
    team = models.TextField(blank=True)
    access_key = models.TextField(blank=True)
    part = models.SmallIntegerField(help_text="Kind of the part of the request, as of Blob")
    offset = models.IntegerField(help_text="Characters before it in the part's text")
    length = models.IntegerField(help_text="Its length in characters")
    fingerprint = models.CharField(max_length=16, help_text="Keyed: the same for the same secret")
    times = models.IntegerField(default=1, help_text="Stored texts it was found in")
    month = models.DateField(editable=False)
    scope = models.IntegerField(editable=False)
    digest = models.BinaryField(editable=False, help_text="Of the text it was first found in")

    class Meta:
        ordering = ("-pk",)
        constraints = [
            models.UniqueConstraint(fields=["month", "scope", "rule", "fingerprint"], name="finding_once"),
        ]
        indexes = [
            models.Index(fields=["month", "scope", "digest"], name="finding_text"),
            models.Index(fields=["request_id"], name="finding_request"),
            models.Index(fields=["state", "-id"], name="finding_state"),
            models.Index(fields=["team", "-id"], name="finding_team"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} by {self.rule}"
