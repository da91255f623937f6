"""Columns of the configuration tables as fields of the configuration file: form and bounds are the model's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from django.core.exceptions import ValidationError
from django.db import models

from gateway.configuration.document_reader import Field, Reader, moment

PROVIDER = (
    "profile", "keyless", "region", "extra_headers", "slow_seconds",
    "connect_timeout", "header_timeout", "idle_timeout", "pool_size", "pool_idle_seconds", "pool_life_seconds",
    "tls_minimum", "ca_file", "client_certificate_file", "client_key_file", "http2", "proxy_choice",
    "health_path", "health_interval", "health_timeout", "health_failures",
    "breaker_mode", "breaker_failures", "breaker_open_seconds", "breaker_successes", "breaker_error_percent",
    "breaker_window", "breaker_volume",
    "retry_attempts", "retry_on", "retry_deadline", "retry_backoff", "retry_base", "retry_longest",
    "retry_budget_percent",
    "max_in_flight", "queue_size", "queue_longest_wait", "queue_when_full", "queue_long_bytes",
)  # fmt: skip
CREDENTIAL = ("per_minute",)
PROXY = ("address", "username", "bypass", "ca_file", "position", "enabled")
ROUTE = (
    "weight", "strategy", "fallback_on", "scenario", "min_tokens", "dialects", "keys", "teams", "headers", "min_bytes",
    "max_bytes",
)  # fmt: skip
TARGET = ("model", "weight")
HEADER_RULE = (
    "direction", "position", "header", "action", "find", "is_pattern", "value", "danger", "providers", "teams", "keys",
    "models", "enabled", "state", "note",
)  # fmt: skip
CAPTURE_POLICY = (
    "position", "mode", "max_bytes", "masks", "teams", "members", "keys", "models", "paths", "enabled", "note",
)  # fmt: skip
CONTENT_RULE = (
    "detector", "action", "patterns", "severity", "message", "teams", "keys", "models", "enabled", "note",
)  # fmt: skip
REDACTION = ("patterns", "secrets", "teams", "revealed_by", "enabled", "note")
TEAM = ("region",)
API_KEY = (
    "allowed_dialects", "allowed_models", "allowed_providers", "allow_addresses", "deny_addresses", "priority",
    "region", "previous_until", "debug_until",
)  # fmt: skip
COUNTED = ("scope", "names", "models", "when_unknown", "enabled")
LIMIT = (
    *COUNTED, "requests_per_second", "requests_per_minute", "burst", "tokens_per_minute", "concurrent",
)  # fmt: skip
BUDGET = (*COUNTED, "period", "zone", "usd", "tokens", "message", "show")
CACHE_RULE = (
    "models", "keys", "teams", "ttl_seconds", "max_answer_bytes", "ignore_fields", "vary_headers", "store", "join",
    "position", "enabled",
)  # fmt: skip
ALERT_RULE = (
    "metric", "operator", "threshold", "window", "minimum", "per", "providers", "models", "teams", "severity",
    "cooldown", "channels", "enabled", "note",
)  # fmt: skip
ALERT_CHANNEL = (
    "way", "minimum_severity", "kinds", "teams", "smtp_host", "smtp_port", "smtp_security", "smtp_user", "sender",
    "recipients", "enabled", "note",
)  # fmt: skip
GRADING = ("judge_model", "gateway_url", "timeout_seconds", "sample_percent", "sample_teams", "daily_limit")
SETTINGS = (
    "allow_addresses", "deny_addresses", "region_fallbacks", "validate_requests", "max_messages", "max_content_bytes",
    "max_system_bytes", "max_output_tokens", "max_top_logprobs", "default_input_price", "default_output_price",
    "cache_max_bytes", "remote_url", "remote_interval", "public_url",
)  # fmt: skip


def column_fields(model: type[models.Model], names: Iterable[str], *required: str) -> dict[str, Field]:
    """Readers for the columns; each raises ValueError with the model's own words."""
    return {
        name: Field(column_reader(model._meta.get_field(name)), required=name in required, is_column=True)
        for name in names
    }


def column_reader(column: Any) -> Any:
    def read(reader: Reader, node: yaml.Node) -> Any:
        value = moment(reader, node) if isinstance(column, models.DateTimeField) else plain_value(node)
        if value is None:
            if not column.null and not isinstance(column, models.CharField):
                raise ValueError("needs a value")
            return None if column.null else ""
        check_kind(column, value)
        if isinstance(column, models.CharField):
            value = str(node.value)
        try:
            return column.clean(value, None)
        except ValidationError as error:
            raise ValueError(" ".join(error.messages)) from None

    return read


def check_kind(column: Any, value: Any) -> None:
    """YAML knows what is a number, a text and a truth; nothing is made of another kind silently."""
    if isinstance(column, models.BooleanField):
        fits = isinstance(value, bool)
    elif isinstance(column, models.IntegerField):
        fits = isinstance(value, int) and not isinstance(value, bool)
    elif isinstance(column, models.FloatField):
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    elif isinstance(column, models.JSONField):
        fits = isinstance(value, type(column.get_default()))
    else:
        fits = not isinstance(value, list | dict)
    if not fits:
        raise ValueError(f"needs {KINDS.get(type(column.get_default()), KINDS.get(type(column), 'a single value'))}")


KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a table of names and values",
    models.PositiveIntegerField: "a whole number",
    models.FloatField: "a number",
}


def plain_value(node: yaml.Node) -> Any:
    """What the node says, without tags; texts in lists and tables are taken as they are written."""
    if isinstance(node, yaml.SequenceNode):
        return [written(item) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): written(value) for key, value in node.value}
    return yaml.SafeLoader("").construct_object(node)


def written(node: yaml.Node) -> Any:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else plain_value(node)


def defaults_of(model: type[models.Model], names: Iterable[str]) -> dict[str, Any]:
    return {name: model._meta.get_field(name).get_default() for name in names}  # type: ignore[union-attr]


def with_defaults(model: type[models.Model], names: Iterable[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """What the columns are to be when a file says `given`: the rest as by default."""
    return defaults_of(model, names) | dict(given)


def told_columns(row: models.Model, names: Iterable[str]) -> dict[str, Any]:
    """Those columns that differ from their default."""
    defaults = defaults_of(type(row), names)
    return {name: value for name, default in defaults.items() if (value := getattr(row, name)) != default}
