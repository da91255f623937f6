"""Exchanges the loader could not store: what they are, and the two things that can be done about them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from gateway.admin.site import ModelAdmin
from gateway.history.prices import read_book
from gateway.history.visibility import may_see_bodies
from gateway.models import DeadLetter
from gateway.recording.deadletters import discard, read_letter, replay
from gateway.recording.rows import RowBuilder


@admin.register(DeadLetter)
class DeadLetterAdmin(ModelAdmin[DeadLetter]):
    """The rows are the loader's; a person may only replay or discard them."""

    list_display = ("exchange_id", "state", "reason", "attempts", "created_at")
    list_filter = ("state",)
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("exchange_id", "reason")
    fields = ("exchange_id", "state", "reason", "detail", "attempts", "request_line", "created_at", "updated_at")
    readonly_fields = fields
    actions = ("replay_selected", "discard_selected")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: DeadLetter | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeadLetter]:
        return super().get_queryset(request).defer("frames")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        nothing_to_save = {"show_save": False, "show_save_and_continue": False, "show_save_and_add_another": False}
        return super().change_view(request, object_id, form_url, {**nothing_to_save, **(extra_context or {})})

    def get_fields(self, request: HttpRequest, obj: DeadLetter | None = None) -> Any:
        """What the loader tripped over can hold words of the exchange, so it is for those who may read every one."""
        everything = may_see_bodies(request.user, "")
        return [name for name in self.fields if name != "detail" or everything]

    @admin.display(description="request")
    def request_line(self, letter: DeadLetter) -> str:
        """What was asked, as far as its frames still tell."""
        try:
            admission = read_letter(letter).admission
        except ValueError as problem:
            return f"cannot be put together: {problem}"
        return f"{admission.method} {admission.path}, {admission.body_bytes:,} bytes"

    @admin.action(description="Replay: store them after all", permissions=["change"])
    def replay_selected(self, request: HttpRequest, letters: QuerySet[DeadLetter]) -> None:
        builder = RowBuilder(settings.TURNLOG.tag_headers, read_book())
        ids = list(letters.values_list("exchange_id", flat=True))
        problems = [problem for exchange_id in ids if (problem := replay(exchange_id, builder))]
        stored = len(ids) - len(problems)
        if stored:
            self.message_user(request, f"{stored:,} stored, or stored already.", messages.SUCCESS)
        for problem in problems[:5]:
            self.message_user(request, f"Cannot be stored: {problem}", messages.ERROR)

    @admin.action(description="Discard: give them up and delete their bytes", permissions=["change"])
    def discard_selected(self, request: HttpRequest, letters: QuerySet[DeadLetter]) -> HttpResponse | None:
        ids = list(letters.values_list("exchange_id", flat=True))
        if request.POST.get("confirmed") == "yes":
            self.message_user(request, f"{discard(ids):,} discarded.", messages.SUCCESS)
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": "Discard dead letters",
            "opts": self.opts,
            "letters": letters,
            "selected": request.POST.getlist("_selected_action"),
        }
        return TemplateResponse(request, "admin/gateway/deadletter/discard.html", context)
