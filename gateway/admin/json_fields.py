"""Lists and tables in JSON columns, written as lines: one entry a line, `name: value` in tables."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.db import models

from gateway.admin.theme import TextAreaWidget


class LinesField(forms.CharField):
    """A list of texts."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("widget", TextAreaWidget(attrs={"rows": 3}))
        super().__init__(**options)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in str(value or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(data) != (initial or []))


class TableField(forms.CharField):
    """Names and values; a value that is a list is written as one in JSON."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("widget", TextAreaWidget(attrs={"rows": 3}))
        super().__init__(**options)

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return "\n".join(
            f"{name}: {text if isinstance(text, str) else json.dumps(text)}" for name, text in value.items()
        )

    def to_python(self, value: Any) -> Any:
        table: dict[str, Any] = {}
        for line in str(value or "").splitlines():
            name, separator, text = line.partition(":")
            if not line.strip():
                continue
            if not separator or not name.strip():
                raise forms.ValidationError(f"{line.strip()!r} needs the form name: value.")
            table[name.strip()] = read_value(text.strip())
        return table

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != (initial or {}))
        except forms.ValidationError:
            return True


def read_value(text: str) -> Any:
    if text.startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            raise forms.ValidationError(f'{text} is no list in JSON, such as ["us", "eu"].') from None
    return text


def written_field(column: models.Field[Any, Any]) -> forms.Field | None:
    """The form's field for a JSON column whose default is a list or a table; None for every other column."""
    if not isinstance(column, models.JSONField):
        return None
    kinds: dict[Any, Any] = {list: LinesField, dict: TableField}
    kind = kinds.get(type(column.get_default()))
    if kind is None:
        return None
    form = " One a line." if kind is LinesField else " One a line, as name: value."
    return kind(required=False, help_text=f"{column.help_text}.{form}", label=str(column.verbose_name).capitalize())  # type: ignore[no-any-return]
