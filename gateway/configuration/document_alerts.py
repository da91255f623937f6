"""What the file says of channels, which have secrets, and of grading, which is one thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.configuration import columns
from gateway.configuration.columns import column_fields
from gateway.configuration.document_reader import Field, Reader, name, text
from gateway.models import AlertChannel, AlertRule, GradingSettings

Columns = Mapping[str, Any]


@dataclass(frozen=True)
class ChannelSpec:
    """`sealed` ones are as the database keeps them, encrypted; only in what the gateway writes for itself."""

    line: int
    name: str
    address: str | None = field(default=None, repr=False)
    address_env: str | None = None
    address_sealed: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    secret_env: str | None = None
    sealed: str | None = field(default=None, repr=False)
    columns: Columns = field(default_factory=dict)


@dataclass(frozen=True)
class GradingSpec:
    line: int
    rubric: str | None = None
    columns: Columns = field(default_factory=dict)


CHANNEL_FIELDS = {
    "name": Field(name, required=True),
    **{each: Field(text) for each in ("address", "address_env", "address_sealed", "secret", "secret_env", "sealed")},
} | column_fields(AlertChannel, columns.ALERT_CHANNEL, "way")
ALERT_RULE_FIELDS = {"name": Field(name, required=True)} | column_fields(
    AlertRule, columns.ALERT_RULE, "metric", "threshold"
)
GRADING_FIELDS = {"rubric": Field(text)} | column_fields(GradingSettings, columns.GRADING)


def check_channels(reader: Reader, channels: tuple[ChannelSpec, ...] | None) -> None:
    for channel in channels or ():
        for what in ("address", "secret"):
            sealed = channel.address_sealed if what == "address" else channel.sealed
            given = [getattr(channel, what), getattr(channel, f"{what}_env"), sealed]
            if sum(item is not None for item in given) > 1:
                reader.problems.append(
                    f"line {channel.line}: the channel {channel.name} takes only one of {what} and {what}_env"
                )
