"""Numbers: the way to the page of usage, and the time zones in which days are summed up."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from gateway.admin.site import ModelAdmin
from gateway.admin.theme import ModelForm
from gateway.history.rollups import forget_zone, mark_range
from gateway.models import RollupHour, RollupZone


@admin.register(RollupHour)
class UsageAdmin(ModelAdmin[RollupHour]):
    """The sums are the worker's; a page of the dashboard shows them."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: RollupHour | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: RollupHour | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return redirect("d:usage")


class ZoneForm(ModelForm[RollupZone]):
    class Meta:
        model = RollupZone
        fields = ("name",)

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"]).strip()
        if name not in available_timezones():
            raise forms.ValidationError(f"{name} is no time zone; they are named like Europe/Berlin.")
        return name


@admin.register(RollupZone)
class RollupZoneAdmin(ModelAdmin[RollupZone]):
    """A new zone's days are summed up from the turns there are; a removed one's go."""

    form = ZoneForm
    list_display = ("name",)

    def has_change_permission(self, request: HttpRequest, obj: RollupZone | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: RollupZone, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        mark_range()

    def delete_model(self, request: HttpRequest, obj: RollupZone) -> None:
        super().delete_model(request, obj)
        forget_zone(obj.name)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        names = list(queryset.values_list("name", flat=True))
        super().delete_queryset(request, queryset)
        for name in names:
            forget_zone(name)
