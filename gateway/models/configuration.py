"""What ops configure for the whole gateway, and how all they configure came to be.

Triggers on the tables of the configuration raise `ConfigurationVersion` and notify `turnlog_config`.
"""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models

from gateway.models.validators import check_http_address, check_networks, check_region_table

MIB = 1024 * 1024


class ConfigurationVersion(models.Model):
    """One row. The number rises with each statement that changes a configuration table."""

    number = models.BigIntegerField(default=0)
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return str(self.number)


class ConfigurationRevision(models.Model):
    """The configuration as it was after a change, whole, and what the change was. Written once, never changed."""

    made_at = models.DateTimeField(auto_now_add=True)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    author_name = models.CharField(max_length=150, help_text="As it was then; a command is named by itself")
    note = models.CharField(max_length=300, blank=True)
    difference = models.TextField(help_text="Lines that went and came, as in a unified difference; without secrets")
    document = models.TextField(help_text="YAML; secrets in it are encrypted")

    class Meta:
        ordering = ("-pk",)
        verbose_name = "configuration version"

    def __str__(self) -> str:
        return f"version {self.pk}"


class GatewaySettings(models.Model):
    """One row."""

    allow_addresses = models.JSONField(
        default=list, blank=True, validators=[check_networks], help_text="Networks that may call; empty: all"
    )
    deny_addresses = models.JSONField(
        default=list, blank=True, validators=[check_networks], help_text="Networks that may not call"
    )
    region_fallbacks = models.JSONField(
        default=dict,
        blank=True,
        validators=[check_region_table],
        help_text="For a region without a provider of its own: the regions to use, in order",
    )
    validate_requests = models.BooleanField(
        default=False, help_text="Refuse what breaks the bounds below; else the provider is the judge"
    )
    max_messages = models.PositiveIntegerField(default=100_000, validators=[MinValueValidator(1)])
    max_content_bytes = models.PositiveIntegerField(default=64 * MIB, validators=[MinValueValidator(1)])
    max_system_bytes = models.PositiveIntegerField(default=8 * MIB, validators=[MinValueValidator(1)])
    max_output_tokens = models.PositiveIntegerField(default=1_000_000, validators=[MinValueValidator(1)])
    max_top_logprobs = models.PositiveIntegerField(default=20)
    default_input_price = models.FloatField(
        null=True,
        blank=True,
        default=5.0,
        validators=[MinValueValidator(0)],
        help_text="What budgets count for a model without a price: USD for a million input tokens; empty: nothing",
    )
    default_output_price = models.FloatField(
        null=True, blank=True, default=25.0, validators=[MinValueValidator(0)], help_text="The same for output tokens"
    )
    cache_max_bytes = models.PositiveBigIntegerField(
        default=64 * MIB, help_text="Of all answers kept in the memory of a process, where cache rules keep any"
    )
    remote_url = models.CharField(
        max_length=500, blank=True, help_text="A configuration file to fetch and apply when it changes"
    )
    remote_interval = models.FloatField(default=60.0, validators=[MinValueValidator(5)], help_text="Seconds")
    public_url = models.CharField(
        max_length=500,
        blank=True,
        db_default="",
        default="",
        validators=[check_http_address],
        help_text="Where people reach these pages, such as https://turnlog.example.com: links in alerts begin with it",
    )

    class Meta:
        verbose_name = verbose_name_plural = "gateway settings"

    def __str__(self) -> str:
        return "gateway settings"
