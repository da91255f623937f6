"""The base of every class in this package: the theme's, which has no types, checked as Django's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldDoesNotExist, ValidationError

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
else:
    from unfold.admin import ModelAdmin as ThemedModelAdmin

    class ModelAdmin(ThemedModelAdmin):
        """The theme's, which may be written with its model in brackets, as the type checker wants it."""

        def __class_getitem__(cls, model):
            return cls

        def get_changeform_initial_data(self, request):
            initial = super().get_changeform_initial_data(request)
            return {name: value for name, value in initial.items() if could_be(self.opts, name, value)}


def could_be(options: Any, name: str, value: Any) -> bool:
    """Whether an address may fill in the field so. What cannot be the key of a row is an error of 500 to Django."""
    try:
        field = options.get_field(name)
        if field.is_relation:
            field.target_field.to_python(value)
    except FieldDoesNotExist:
        return True
    except (ValidationError, AttributeError):
        return False
    return True


__all__ = ["ModelAdmin"]
