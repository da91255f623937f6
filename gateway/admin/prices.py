"""Prices: what ops pay for each kind of token, since when; and costs computed again by them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from gateway.admin.site import ModelAdmin
from gateway.models import CostRun, ModelPrice


class HoldsFilter(admin.SimpleListFilter):
    title = "validity"
    parameter_name = "holds"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("now", "Holds now"), ("past", "Has ended"), ("later", "Has not begun")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        now = timezone.now()
        chosen = {
            "now": Q(valid_from__lte=now) & (Q(valid_until=None) | Q(valid_until__gt=now)),
            "past": Q(valid_until__lte=now),
            "later": Q(valid_from__gt=now),
        }
        return queryset.filter(chosen[value]) if (value := self.value()) in chosen else queryset


@admin.register(ModelPrice)
class ModelPriceAdmin(ModelAdmin[ModelPrice]):
    """A price that changes gets a row of its own: give the old one its end, and the new one that as its beginning."""

    list_display = (
        "model", "tier", "prompt_above", "provider", "input_rate", "cache_read_rate", "cache_write_rate",
        "cache_write_1h_rate", "output_rate", "valid_from", "valid_until", "read_on",
    )  # fmt: skip
    list_filter = (HoldsFilter, "tier", "provider")
    list_per_page = 50
    search_fields = ("model", "provider", "source")
    readonly_fields = ("updated_at",)
    actions = ("recompute_selected",)
    fieldsets = (
        (None, {"fields": ("model", "provider", "tier", "prompt_above", ("valid_from", "valid_until"))}),
        (
            "USD for a million tokens; empty is unknown",
            {"fields": (("input", "output"), ("cache_read", "cache_write", "cache_write_1h"), "us_factor")},
        ),
        ("USD for a thousand calls", {"fields": ("web_search",)}),
        ("Where it was read", {"fields": ("source", "read_on", "updated_at")}),
    )

    @admin.display(description="Input", ordering="input")
    def input_rate(self, price: ModelPrice) -> str:
        return written(price.input)

    @admin.display(description="Output", ordering="output")
    def output_rate(self, price: ModelPrice) -> str:
        return written(price.output)

    @admin.display(description="Cache read", ordering="cache_read")
    def cache_read_rate(self, price: ModelPrice) -> str:
        return written(price.cache_read)

    @admin.display(description="Cache write", ordering="cache_write")
    def cache_write_rate(self, price: ModelPrice) -> str:
        return written(price.cache_write)

    @admin.display(description="… for 1 h", ordering="cache_write_1h")
    def cache_write_1h_rate(self, price: ModelPrice) -> str:
        return written(price.cache_write_1h)

    @admin.action(description="Recompute: the costs of all turns these prices hold for", permissions=["change"])
    def recompute_selected(self, request: HttpRequest, prices: QuerySet[ModelPrice]) -> None:
        asked = [run_for(price, str(request.user)) for price in prices]
        CostRun.objects.bulk_create(asked)
        self.message_user(
            request,
            f"{len(asked):,} recomputations asked for; the worker does them within seconds and shows the result under "
            "Recomputations.",
            messages.SUCCESS,
        )


def run_for(price: ModelPrice, asked_by: str) -> CostRun:
    return CostRun(since=price.valid_from, until=price.valid_until, model=price.model, asked_by=asked_by)


def written(rate: Any) -> str:
    return "unknown" if rate is None else f"{rate.normalize():f}"


@admin.register(CostRun)
class CostRunAdmin(ModelAdmin[CostRun]):
    """Ask for any range; what is done cannot be changed."""

    list_display = ("__str__", "asked_by", "created_at", "finished_at", "turns", "changed")
    fields = ("since", "until", "model")
    show_full_result_count = False

    def has_change_permission(self, request: HttpRequest, obj: CostRun | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: CostRun, form: Any, change: bool) -> None:
        obj.asked_by = str(request.user)
        super().save_model(request, obj, form, change)
