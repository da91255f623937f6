"""Which answers are kept to be given again, and what is not given again any more."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

from gateway.models.transport import ABOVE_ZERO, NAME_VALIDATOR
from gateway.models.validators import HEADER_NAME, check_texts


def check_header_names(value: object) -> None:
    check_texts(value)
    wrong = [name for name in value if not HEADER_NAME.fullmatch(name)]  # type: ignore[attr-defined]
    if wrong:
        raise ValidationError(f"{', '.join(wrong)}: no name of a header.")


class CacheRule(models.Model):
    """Answers are given again to the caller they were made for, and to nobody else."""

    class Store(models.TextChoices):
        MEMORY = "memory", "memory: of each process"
        REDIS = "redis", "redis: shared by all processes, where there is one"
        NOWHERE = "nowhere", "nowhere: only join requests under way"

    name = models.CharField(max_length=64, unique=True, validators=[NAME_VALIDATOR])
    keys = models.JSONField(
        default=list, blank=True, validators=[check_texts], help_text="Only for API keys of these names; empty: all"
    )
    teams = models.JSONField(default=list, blank=True, validators=[check_texts], help_text="Only for these teams")
    ttl_seconds = models.FloatField(default=3600.0, validators=ABOVE_ZERO, help_text="How long an answer is good")
    max_answer_bytes = models.PositiveIntegerField(
        default=1024 * 1024, validators=[MinValueValidator(1)], help_text="Larger answers are not kept"
    )
    ignore_fields = models.JSONField(
        default=list,
        blank=True,
        validators=[check_texts],
        help_text="Top-level fields of the body that make no difference, such as metadata; empty: every byte counts",
    )
    vary_headers = models.JSONField(
        default=list,
        blank=True,
        validators=[check_header_names],
        help_text="Headers that make a difference, beside those that always do (versions, betas, formats)",
    )
    store = models.CharField(max_length=8, choices=Store.choices, default=Store.MEMORY)
    join = models.BooleanField(
        default=False, help_text="Requests that come while the same one is being answered wait for its answer"
    )
    position = models.PositiveIntegerField(default=100, help_text="Of several rules for a request the lowest counts")
    enabled = models.BooleanField(default=True)
    # The last of the fields: its name is that of the module.
    models = models.JSONField(
        default=list, blank=True, validators=[check_texts], help_text="Only for these models, or patterns; empty: all"
    )

    class Meta:
        ordering = ("position", "name")

    def __str__(self) -> str:
        return self.name


class CacheClearing(models.Model):
    """Answers made before it, of what its patterns fit, are not given again. It is in force in every process within a
    second."""

    at = models.DateTimeField(auto_now_add=True)
    model = models.CharField(max_length=200, blank=True, help_text="A model, or a pattern such as claude-*; empty: any")
    key = models.CharField(max_length=64, blank=True, help_text="An API key's name, or a pattern; empty: any")
    team = models.CharField(max_length=64, blank=True, help_text="A team, or a pattern; empty: any")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )

    class Meta:
        ordering = ("-pk",)
        verbose_name = "clearing of kept answers"
        verbose_name_plural = "clearings of kept answers"

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.model, self.key, self.team))) or "everything"
