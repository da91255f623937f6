"""What each version of each client uses of its API: new things first."""

from __future__ import annotations

import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone

from gateway.admin.selftest_page import selftest_context
from gateway.admin.site import ModelAdmin
from gateway.history.visibility import may_see_bodies
from gateway.models import Capability

NEW = datetime.timedelta(days=7)


@admin.register(Capability)
class CapabilityAdmin(ModelAdmin[Capability]):
    """The rows are the loader's."""

    list_display = ("client", "client_version", "kind", "name", "is_new", "first_seen", "last_seen", "state")
    list_filter = ("kind", "client", "dialect")
    list_per_page = 100
    search_fields = ("name", "client_version", "refusal")
    readonly_fields = (
        "client", "client_version", "dialect", "kind", "name", "first_seen", "last_seen", "forwarded_at", "accepted_at",
        "refused_at", "refusal",
    )  # fmt: skip

    def get_fields(self, request: HttpRequest, obj: Capability | None = None) -> Any:
        """A refusal is an answer's words: for those who may read every one."""
        everything = may_see_bodies(request.user, "")
        return [name for name in self.readonly_fields if name != "refusal" or everything]

    def get_search_fields(self, request: HttpRequest) -> Any:
        everything = may_see_bodies(request.user, "")
        return self.search_fields if everything else ("name", "client_version")

    def get_list_display(self, request: HttpRequest) -> Any:
        everything = may_see_bodies(request.user, "")
        return self.list_display if everything else [name for name in self.list_display if name != "state"]

    def get_urls(self) -> list[URLPattern]:
        page = path("selftest/", self.admin_site.admin_view(self.selftest_view), name="selftest")
        return [page, *super().get_urls()]

    def selftest_view(self, request: HttpRequest) -> HttpResponse:
        """Whether the running gateway changes anything. It costs nothing but some seconds, and is asked for by POST."""
        if not request.user.is_superuser:
            raise PermissionDenied
        request.current_app = self.admin_site.name
        context = {**self.admin_site.each_context(request), **selftest_context(run=request.method == "POST")}
        return TemplateResponse(request, "admin/gateway/capability/selftest.html", context)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Capability | None = None) -> bool:
        return False

    @admin.display(description="New", boolean=True)
    def is_new(self, seen: Capability) -> bool:
        return timezone.now() - seen.first_seen < NEW

    @admin.display(description="Provider")
    def state(self, seen: Capability) -> str:
        if seen.refused_at and (seen.accepted_at is None or seen.refused_at > seen.accepted_at):
            return f"refused: {seen.refusal[:80]}"
        if seen.accepted_at:
            return "accepted"
        return "sent on" if seen.forwarded_at else "not sent on"
