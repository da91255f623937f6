"""The history in the admin: a read-only list and a page for each request. What they show is read beside this file."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from gateway.admin.grade_selected import ask_for_ticked, confirmation, ticked
from gateway.admin.request_filter import RequestFilter, as_uuid
from gateway.admin.request_list import choices, counted, read_page
from gateway.admin.site import ModelAdmin
from gateway.history.visibility import visible_to
from gateway.models import RequestLog


@admin.register(RequestLog)
class RequestLogAdmin(ModelAdmin[RequestLog]):
    """Reads only: rows are written by the loader, and go by retention."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: RequestLog | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: RequestLog | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("grade/", view(self.grade_view), name="gateway_requestlog_grade"),
            path("<uuid:request_id>/", view(self.detail_view), name="gateway_requestlog_detail"),
            path("<uuid:request_id>/raw/<str:part>/", view(self.raw_view), name="gateway_requestlog_raw"),
        ]
        return [*own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        self.require_view(request)
        narrowed = RequestFilter.read(request.GET.dict())
        sight = visible_to(request.user)
        matching = narrowed.apply(sight.listed())
        context = {
            "title": "Requests",
            "narrowed": narrowed,
            "problems": narrowed.problems(),
            "choices": choices(narrowed, sight),
            "count": counted(matching),
            "page": read_page(matching, narrowed, request.GET.dict()),
            "newest": narrowed.address(),
            "grades": sight.teams is None or bool(sight.teams),
            "without_session": narrowed.address(session=""),
            **(extra_context or {}),
        }
        return self.page(request, "admin/gateway/requestlog/change_list.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        request_id = as_uuid(object_id)
        if request_id is None:
            raise Http404("A request's id is a UUID.")
        return self.detail_view(request, request_id)

    def detail_view(self, request: HttpRequest, request_id: UUID) -> HttpResponse:
        """The page under /d/ shows it, to those who may see it."""
        return redirect("d:request", request_id)

    def raw_view(self, request: HttpRequest, request_id: UUID, part: str) -> HttpResponse:
        return redirect("d:request_raw", request_id, part)

    def grade_view(self, request: HttpRequest) -> HttpResponse:
        """Asks, once it was confirmed, for the grades of what was ticked in the list."""
        self.require_view(request)
        back = redirect("admin:gateway_requestlog_changelist")
        rows = ticked(request) if request.method == "POST" else []
        if not rows:
            messages.warning(request, "Tick the requests whose prompts are to be graded.")
            return back
        if "confirmed" in request.POST:
            ask_for_ticked(request, rows)
            return back
        return self.page(request, "admin/gateway/requestlog/grade.html", confirmation(request, rows))

    def require_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
        request.current_app = self.admin_site.name
        shell = self.admin_site.each_context(request)
        return TemplateResponse(request, template, {**shell, "opts": self.opts, **context})
