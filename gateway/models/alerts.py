"""Alerts: what is watched, who is told, what happened, and the outbox of what is to be told.

Whatever there is to tell becomes an `Announcement`, once, and a `Delivery` for each channel that wants it, in the
transaction that found it out. A worker sends what waits; one that dies leaves it to the next.
"""

from __future__ import annotations

import datetime
import uuid
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, validate_email
from django.db import models

from gateway.models.transport import NAME_VALIDATOR
from gateway.models.validators import check_texts
from gateway.policy.alerting import METRICS, Metric, Operator, Severity

BEGINNING = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
LONGEST_WINDOW = 3_600
LONGEST_COOLDOWN = 7 * 86_400


class Kind(models.TextChoices):
    """What is told of."""

    ALERT = "alert", "alerts of rules"
    BUDGET = "budget", "budgets"
    FINDING = "finding", "findings in stored text"


def severities() -> list[tuple[str, str]]:
    return [(severity.value, severity.value) for severity in Severity]


def texts(help_text: str, *validators: Any) -> Any:
    return models.JSONField(default=list, blank=True, validators=[check_texts, *validators], help_text=help_text)


def check_kinds(value: Any) -> None:
    unknown = set(value) - set(Kind.values)
    if unknown:
        raise ValidationError(f"{', '.join(sorted(unknown))}: each is one of {', '.join(Kind.values)}.")


def check_mail_addresses(value: Any) -> None:
    for address in value:
        validate_email(address)


class AlertChannel(models.Model):
    """Where people are told. The address of a webhook and the secrets are kept encrypted: with Slack and its like the
    address is the key."""

    class Way(models.TextChoices):
        WEBHOOK = "webhook", "webhook: JSON, signed when it has a secret"
        SLACK = "slack", "slack: Slack, Mattermost and whatever takes the same webhook"
        MAIL = "mail", "mail: by an SMTP server"

    class Security(models.TextChoices):
        STARTTLS = "starttls", "STARTTLS"
        TLS = "tls", "TLS from the first byte"
        NONE = "none", "none: in clear"

    name = models.CharField(max_length=64, unique=True, validators=[NAME_VALIDATOR])
    way = models.CharField(max_length=8, choices=Way.choices)
    enabled = models.BooleanField(default=True)
    minimum_severity = models.CharField(
        max_length=8,
        choices=severities(),
        default=Severity.INFO.value,
        help_text="What is less severe is not told here",
    )
    kinds = texts("Only these of alert, budget and finding; empty: all", check_kinds)
    teams = texts("Only what is about one of these teams; empty: all, also what is about no team")
    address_ciphertext = models.BinaryField(default=bytes, editable=False)
    address_hint = models.CharField(max_length=300, blank=True, editable=False)
    secret_ciphertext = models.BinaryField(default=bytes, editable=False)
    smtp_host = models.CharField(max_length=253, blank=True)
    smtp_port = models.PositiveIntegerField(default=587, validators=[MinValueValidator(1), MaxValueValidator(65_535)])
    smtp_security = models.CharField(max_length=8, choices=Security.choices, default=Security.STARTTLS)
    smtp_user = models.CharField(max_length=200, blank=True, help_text="Empty: without signing in")
    sender = models.CharField(max_length=254, blank=True, validators=[validate_email])
    recipients = texts("Mail addresses", check_mail_addresses)
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.way == self.Way.MAIL and not (self.smtp_host and self.sender and self.recipients):
            raise ValidationError({"smtp_host": "Mail needs an SMTP host, a sender and at least one recipient."})
        check_kinds(self.kinds)
        check_mail_addresses(self.recipients)


class AlertRule(models.Model):
    """One condition that is looked at every few seconds, for each thing its metric tells apart."""

    class Per(models.TextChoices):
        NOTHING = "", "all together"
        PROVIDER = "provider", "each provider"
        MODEL = "model", "each model"
        TEAM = "team", "each team"

    name = models.CharField(max_length=64, unique=True, validators=[NAME_VALIDATOR])
    metric = models.CharField(
        max_length=24, choices=[(metric.value, f"{fact.title} ({fact.unit})") for metric, fact in METRICS.items()]
    )
    operator = models.CharField(
        max_length=2, choices=[(each.value, each.value) for each in Operator], default=Operator.ABOVE.value
    )
    threshold = models.FloatField(help_text="In the unit of the metric")
    window = models.PositiveIntegerField(
        default=300,
        validators=[MaxValueValidator(LONGEST_WINDOW)],
        help_text="Seconds. Errors, latency, refusals and what was not recorded are counted over them; anything else "
        "must hold for as long. At most an hour",
    )
    minimum = models.PositiveIntegerField(
        default=0, help_text="Errors and latency: with fewer requests than this in the window nothing is said"
    )
    per = models.CharField(
        max_length=8, choices=Per.choices, default=Per.NOTHING, blank=True, help_text="Errors and latency: of what"
    )
    providers = texts("Only these, or patterns such as azure-*; empty: all")
    teams = texts("Only these teams, or patterns; empty: all")
    severity = models.CharField(max_length=8, choices=severities(), default=Severity.WARNING.value)
    cooldown = models.PositiveIntegerField(
        default=900,
        validators=[MaxValueValidator(LONGEST_COOLDOWN)],
        help_text="Seconds in which nothing more is told of the same thing; the history has it all the same",
    )
    channels = texts("Only these channels, by name; empty: all that take its severity")
    enabled = models.BooleanField(default=True)
    muted_until = models.DateTimeField(
        null=True, blank=True, help_text="Until then it is watched and written down, and nobody is told"
    )
    note = models.CharField(max_length=500, blank=True, help_text="Told with the alert: what to do")
    # The last: within this class the name is then this field's.
    models = texts("Only these models, or patterns such as claude-opus-*; empty: all")

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        fact = METRICS.get(Metric(self.metric)) if self.metric in set(Metric) else None
        if fact is None:
            return
        for column, what in (("providers", "provider"), ("models", "model"), ("teams", "team")):
            if getattr(self, column) and what not in fact.narrowed:
                raise ValidationError({column: f"{fact.title} is not told apart by {what}: leave this empty."})
        if self.per and self.metric not in PER_METRICS:
            raise ValidationError({"per": f"{fact.title} has its own things it is told apart by: leave this empty."})
        if fact.counts and not self.window:
            raise ValidationError({"window": f"{fact.title} needs a window of at least a second to count over."})

    @property
    def fact(self) -> Any:
        return METRICS[Metric(self.metric)]

    @property
    def condition(self) -> str:
        """In words."""
        fact = self.fact
        over = f"over {self.window} s" if fact.counts else f"for {self.window} s" if self.window else ""
        return f"{fact.title} {self.operator} {self.threshold:g} {fact.unit} {over}".strip()


PER_METRICS = frozenset({Metric.ERROR_RATE.value, Metric.DURATION_P95.value, Metric.FIRST_BYTE_P95.value})


class Alert(models.Model):
    """A rule's condition held for one thing. Pending ones are no history yet: their window is not over."""

    class State(models.TextChoices):
        PENDING = "pending"
        OPEN = "open"
        RESOLVED = "resolved"

    rule = models.ForeignKey(AlertRule, on_delete=models.SET_NULL, null=True, related_name="alerts")
    rule_name = models.CharField(max_length=64)
    metric = models.CharField(max_length=24)
    condition = models.CharField(max_length=200, help_text="as the rule was")
    unit = models.CharField(max_length=16, blank=True)
    severity = models.CharField(max_length=8, choices=severities())
    subject = models.TextField(blank=True)
    team = models.TextField(blank=True)
    link = models.TextField(blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    since = models.DateTimeField(help_text="from when on the condition held")
    opened_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    value = models.FloatField(help_text="when it opened")
    last_value = models.FloatField(help_text="the last while it was open")
    told_at = models.DateTimeField(null=True, help_text="empty: nobody was told: it was muted, or in the cooldown")
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=150, blank=True)
    acknowledgement = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ("-pk",)
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "subject"], name="alert_open_once", condition=models.Q(state__in=["pending", "open"])
            )
        ]
        indexes = [
            models.Index(fields=["state", "-id"], name="alert_state"),
            models.Index(fields=["rule", "subject", "-id"], name="alert_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.rule_name} {self.subject}".strip()


class AlertCount(models.Model):
    """A count that only grows, as it was at a time, so that what was added in a window is known. One row for each time
    it had grown."""

    name = models.CharField(max_length=24)
    at = models.DateTimeField()
    value = models.FloatField()

    class Meta:
        indexes = [models.Index(fields=["name", "-at"], name="alertcount_name_at")]

    def __str__(self) -> str:
        return f"{self.name} {self.value:g}"


class Announcement(models.Model):
    """Something people are told of: once, by its key."""

    class State(models.TextChoices):
        HAPPENED = "happened"
        OPEN = "open"
        RESOLVED = "resolved"

    uid = models.UUIDField(
        default=uuid.uuid4, unique=True, editable=False, help_text="The receivers' key against twice"
    )
    dedup_key = models.CharField(max_length=300, unique=True)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    state = models.CharField(max_length=8, choices=State.choices, default=State.HAPPENED)
    severity = models.CharField(max_length=8, choices=severities())
    title = models.CharField(max_length=300)
    text = models.TextField(blank=True)
    link = models.TextField(blank=True, help_text="a path of ours, or a whole address")
    team = models.TextField(blank=True)
    alert = models.ForeignKey(Alert, on_delete=models.SET_NULL, null=True, related_name="announcements")
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return self.title


class Delivery(models.Model):
    """One announcement to one channel."""

    class State(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        FAILED = "failed"

    announcement = models.ForeignKey(Announcement, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.ForeignKey(AlertChannel, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(default=BEGINNING)
    tried_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=500, blank=True, help_text="of the last attempt that failed")

    class Meta:
        ordering = ("-pk",)
        verbose_name_plural = "deliveries"
        constraints = [models.UniqueConstraint(fields=["announcement", "channel"], name="delivery_once")]
        indexes = [
            models.Index(fields=["not_before"], name="delivery_waiting", condition=models.Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return f"{self.announcement} to {self.channel}"
