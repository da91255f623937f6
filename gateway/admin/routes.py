"""Model routes: which model name leads to which provider and model."""

from __future__ import annotations

from django import forms
from django.contrib import admin

from gateway.admin.site import ModelAdmin
from gateway.admin.theme import CheckboxesWidget, ModelForm
from gateway.dialects.names import Shortcut
from gateway.models import ModelRoute


class RouteForm(ModelForm[ModelRoute]):
    shortcuts = forms.MultipleChoiceField(
        required=False,
        choices=[(shortcut.value, shortcut.value) for shortcut in Shortcut],
        widget=CheckboxesWidget(),
        help_text="Housekeeping calls of Claude Code that the gateway answers by itself; recorded as synthetic.",
    )

    class Meta:
        model = ModelRoute
        fields = ("match", "provider", "model", "position", "enabled", "demote", "shortcuts")
        help_texts = {
            "match": "A model name, or a pattern: * stands for any text, ? for one character. An exact name wins.",
            "position": "Among patterns the lowest is tried first.",
        }

    def clean_match(self) -> str:
        return without_blanks(self.cleaned_data["match"])

    def clean_model(self) -> str:
        return without_blanks(self.cleaned_data["model"])


def without_blanks(text: str) -> str:
    if any(character.isspace() for character in text):
        raise forms.ValidationError("A model's name holds no blanks.")
    return text


@admin.register(ModelRoute)
class ModelRouteAdmin(ModelAdmin[ModelRoute]):
    form = RouteForm
    list_display = ("match", "provider", "model", "position", "enabled")
    list_filter = ("provider", "enabled")
    list_select_related = ("provider",)
    search_fields = ("match", "model")
