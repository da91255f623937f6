"""The theme's forms and widgets, which have no types, checked as Django's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.contrib.admin import TabularInline
    from django.contrib.admin.widgets import AdminTextInputWidget as TextWidget
    from django.forms import CheckboxSelectMultiple as CheckboxesWidget
    from django.forms import ModelForm
    from django.forms import PasswordInput as PasswordWidget
    from django.forms import Textarea as TextAreaWidget
else:
    from django.forms import ModelForm as PlainModelForm
    from unfold.admin import TabularInline as ThemedTabularInline
    from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget as CheckboxesWidget
    from unfold.widgets import UnfoldAdminPasswordWidget as PasswordWidget
    from unfold.widgets import UnfoldAdminTextareaWidget as TextAreaWidget
    from unfold.widgets import UnfoldAdminTextInputWidget as TextWidget

    class ModelForm(PlainModelForm):
        """May be written with its model in brackets, as the type checker wants it."""

        def __class_getitem__(cls, model):
            return cls

    class TabularInline(ThemedTabularInline):
        """As above, with two models."""

        def __class_getitem__(cls, models):
            return cls


__all__ = ["CheckboxesWidget", "ModelForm", "PasswordWidget", "TabularInline", "TextAreaWidget", "TextWidget"]
