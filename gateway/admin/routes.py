"""Model routes: which model name leads to which provider and model."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from gateway.admin.theme import CheckboxesWidget, ModelForm, TabularInline
from gateway.admin.versioned import VersionedAdmin
from gateway.dialects.names import Shortcut
from gateway.models import ModelRoute, RouteTarget


class RouteForm(ModelForm[ModelRoute]):
    shortcuts = forms.MultipleChoiceField(
        required=False,
        choices=[(shortcut.value, shortcut.value) for shortcut in Shortcut],
        widget=CheckboxesWidget(),
        help_text="Housekeeping calls of Claude Code that the gateway answers by itself; recorded as synthetic.",
    )

    class Meta:
        model = ModelRoute
        exclude = ()
        help_texts = {
            "match": "A model name, or a pattern: * stands for any text, ? for one character. An exact name wins.",
            "position": "Among patterns the lowest is tried first.",
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not cleaned.get("name") and cleaned.get("match"):
            cleaned["name"] = cleaned["match"]
            taken = ModelRoute.objects.filter(name=cleaned["match"]).exclude(pk=self.instance.pk)
            if taken.exists():
                self.add_error("name", f"There is a route {cleaned['match']} already: give this one a name of its own.")
        return cleaned

    def clean_match(self) -> str:
        return without_blanks(self.cleaned_data["match"])

    def clean_model(self) -> str:
        return without_blanks(self.cleaned_data["model"])


def without_blanks(text: str) -> str:
    if any(character.isspace() for character in text):
        raise forms.ValidationError("A model's name holds no blanks.")
    return text


class TargetInline(TabularInline[RouteTarget, ModelRoute]):
    model = RouteTarget
    extra = 0
    fields = ("provider", "model", "weight", "position")
    autocomplete_fields = ("provider",)
    verbose_name_plural = "further targets, in order"


@admin.register(ModelRoute)
class ModelRouteAdmin(VersionedAdmin):
    form = RouteForm
    inlines = (TargetInline,)
    list_display = ("name", "match", "provider", "model", "strategy", "conditions", "position", "enabled")
    list_filter = ("provider", "strategy", "scenario", "enabled")
    list_select_related = ("provider",)
    search_fields = ("name", "match", "model")
    autocomplete_fields = ("provider",)
    actions = ("switch_on", "switch_off")
    fieldsets = (
        (None, {"fields": ("name", "match", "provider", "model", "weight", "position", "enabled")}),
        (
            "Targets and fallback",
            {
                "description": "The first target is above, the others below. The strategy says which is tried first.",
                "fields": ("strategy", "fallback_on"),
            },
        ),
        (
            "Conditions",
            {
                "description": "All must hold. A route with conditions goes before one without.",
                "classes": ["collapse"],
                "fields": (
                    ("scenario", "min_tokens"),
                    ("dialects", "keys", "teams"),
                    "headers",
                    ("min_bytes", "max_bytes"),
                ),
            },
        ),
        ("Claude Code", {"classes": ["collapse"], "fields": ("demote", "shortcuts")}),
    )

    @admin.display(description="Only for")
    def conditions(self, route: ModelRoute) -> str:
        said = [route.scenario.replace("_", " "), *route.dialects, *route.keys, *route.teams, *route.headers]
        sizes = [f"≥ {route.min_bytes} bytes"] if route.min_bytes is not None else []
        sizes += [f"≤ {route.max_bytes} bytes"] if route.max_bytes is not None else []
        return ", ".join(filter(None, [*said, *sizes])) or "all"

    @admin.action(description="Switch on", permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[ModelRoute]) -> None:
        queryset.update(enabled=True)

    @admin.action(description="Switch off", permissions=["change"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[ModelRoute]) -> None:
        queryset.update(enabled=False)
