"""How much of whose requests is kept."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

from gateway.models.transport import NAME_VALIDATOR
from gateway.models.validators import check_texts
from gateway.policy.capture import CaptureMode
from gateway.policy.masking import read_pointer


def check_masks(value: Any) -> None:
    check_texts(value)
    for text in value:
        try:
            read_pointer(text)
        except ValueError as error:
            raise ValidationError(str(error)) from None


def names(help_text: str, *validators: Any) -> Any:
    return models.JSONField(default=list, blank=True, validators=[check_texts, *validators], help_text=help_text)


class CapturePolicy(models.Model):
    """The first that fits a request decides; where none does, everything is kept."""

    name = models.CharField(max_length=64, unique=True, validators=[NAME_VALIDATOR])
    position = models.PositiveIntegerField(default=100, help_text="The lowest is looked at first")
    mode = models.CharField(
        max_length=8,
        choices=[
            (CaptureMode.FULL.value, "full: everything, but for what is masked or too large"),
            (CaptureMode.METADATA.value, "metadata: no bodies, no header values but known ones; tokens and cost stay"),
            (CaptureMode.NONE.value, "none: counted, and nothing else"),
        ],
    )
    max_bytes = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Full: of each body at most so many bytes are kept; empty: all",
    )
    masks = names("Full: places in the request's body that are kept as stars, such as metadata.user_id.device_id")
    teams = names("Only for these teams, or names given by /t/NAME; empty: for all")
    members = names("Only for keys of these people, by user name")
    keys = names("Only for API keys of these names")
    paths = names("Only for these paths, or patterns such as /v1/files*")
    enabled = models.BooleanField(default=True)
    note = models.CharField(max_length=500, blank=True, help_text="What it is for")
    # The last, because within this class the name is then this field's.
    models = names("Only where one of these models is asked for, or patterns such as claude-*")

    class Meta:
        ordering = ("position", "name")
        verbose_name_plural = "capture policies"

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.mode != CaptureMode.FULL and (self.max_bytes is not None or self.masks):
            raise ValidationError({"mode": "A size and masks are for what is kept in full."})
        try:
            check_masks(self.masks)
        except ValidationError as error:
            raise ValidationError({"masks": error.messages}) from None
