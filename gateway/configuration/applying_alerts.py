"""Applies what a document says of channels and of grading, and says it of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.configuration.applying_rules import check
from gateway.configuration.channels import set_address
from gateway.configuration.columns import ALERT_CHANNEL, GRADING, told_columns, with_defaults
from gateway.configuration.document_alerts import ChannelSpec, GradingSpec
from gateway.configuration.sealing import unseal
from gateway.models import AlertChannel, GradingSettings, Rubric

if TYPE_CHECKING:
    from gateway.configuration.applying import Application

OURS = "turnlog"
"""The author of the rubric that comes with it."""


def apply_channel(application: Application, spec: ChannelSpec) -> None:
    """Its address and secret are kept where the document says nothing of them. Raises ValueError."""
    values = with_defaults(AlertChannel, ALERT_CHANNEL, spec.columns)
    check(AlertChannel(name=spec.name, **values))
    row = application.set_row(AlertChannel, "channel", {"name": spec.name}, values)
    address = address_of(application, spec)
    if address is not None and set_address(row, address):
        row.save(update_fields=["address_ciphertext", "address_hint"])
        application.outcome.changes.append(f"~ channel {spec.name} (address)")
    if row.way != AlertChannel.Way.MAIL and not row.address_ciphertext:
        raise ValueError(f"the channel {spec.name} is new: it needs address or address_env")
    secrets = (spec.sealed, spec.secret, spec.secret_env)
    application.set_sealed(row, "secret_ciphertext", *secrets, f"channel {spec.name}")


def address_of(application: Application, spec: ChannelSpec) -> str | None:
    if spec.address_sealed is not None:
        return unseal(spec.address_sealed.encode())
    return spec.address if spec.address_env is None else application.variable(spec.address_env)


def channel_entry(row: AlertChannel, sealed: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": row.name, "way": row.way} | told_columns(row, ALERT_CHANNEL)
    if sealed and row.address_ciphertext:
        entry["address_sealed"] = bytes(row.address_ciphertext).decode()
    if sealed and row.secret_ciphertext:
        entry["sealed"] = bytes(row.secret_ciphertext).decode()
    return entry


def apply_grading(application: Application, spec: GradingSpec) -> None:
    if spec.columns or GradingSettings.objects.exists():
        values = with_defaults(GradingSettings, GRADING, spec.columns)
        row = GradingSettings.objects.order_by("pk").first()
        application.set_row(GradingSettings, "grading", {"pk": row.pk if row is not None else 1}, values)
    if spec.rubric is not None and spec.rubric.strip() != (rubric_text() or "").strip():
        Rubric.objects.create(instructions=spec.rubric.strip(), note="configuration file", author_name="configuration")
        application.outcome.changes.append("+ rubric, a new version")


def grading_entry() -> dict[str, Any]:
    """The rubric only where somebody wrote one."""
    row = GradingSettings.objects.order_by("pk").first()
    entry = told_columns(row, GRADING) if row is not None else {}
    rubric = rubric_text()
    return entry | ({"rubric": rubric} if rubric is not None else {})


def rubric_text() -> str | None:
    rubric = Rubric.objects.first()
    return rubric.instructions if rubric is not None and rubric.author_name != OURS else None
