"""Which answers are kept to be given again, and clearing them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from gateway.admin.site import ModelAdmin
from gateway.admin.versioned import VersionedAdmin
from gateway.models import CacheClearing, CacheRule


@admin.register(CacheRule)
class CacheRuleAdmin(VersionedAdmin):
    list_display = ("name", "whom", "ttl_seconds", "store", "join", "position", "enabled")
    list_filter = ("store", "enabled")
    search_fields = ("name",)
    actions = ("switch_on", "switch_off")
    fieldsets = (
        (
            None,
            {
                "description": "An answer is given again only to the caller it was made for, for the same bytes. Hits "
                "are recorded as such, cost nothing and are counted by no limit or budget. A request with the header "
                "x-turnlog-cache: bypass is left alone, one with refresh is answered anew.",
                "fields": ("name", ("position", "enabled")),
            },
        ),
        ("For which requests", {"fields": (("models", "keys", "teams"),)}),
        ("What makes a difference", {"fields": (("ignore_fields", "vary_headers"),)}),
        ("How long and where", {"fields": (("ttl_seconds", "max_answer_bytes"), "store", "join")}),
    )

    @admin.display(description="For")
    def whom(self, rule: CacheRule) -> str:
        return ", ".join([*rule.models, *rule.keys, *rule.teams]) or "all"

    @admin.action(description="Switch on", permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        queryset.update(enabled=True)

    @admin.action(description="Switch off", permissions=["change"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        queryset.update(enabled=False)


@admin.register(CacheClearing)
class CacheClearingAdmin(ModelAdmin[CacheClearing]):
    """Adding one throws away what is kept and fits; it cannot be taken back."""

    list_display = ("at", "model", "key", "team", "author")
    list_select_related = ("author",)
    fields = ("model", "key", "team")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj.author = request.user
        super().save_model(request, obj, form, change)
