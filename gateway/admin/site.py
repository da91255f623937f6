"""The base of every class in this package: the theme's, which has no types, checked as Django's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
else:
    from unfold.admin import ModelAdmin as ThemedModelAdmin

    class ModelAdmin(ThemedModelAdmin):
        """The theme's, which may be written with its model in brackets, as the type checker wants it."""

        def __class_getitem__(cls, model):
            return cls


__all__ = ["ModelAdmin"]
