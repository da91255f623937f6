"""Grading in the admin: who judges and by which rubric, and a person's word on what the judge said."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from gateway.admin.site import ModelAdmin
from gateway.admin.versioned import VersionedAdmin
from gateway.grading.figures import visible_grades
from gateway.grading.rubric import TITLES, present_rubric
from gateway.grading.verdict import FAILURES
from gateway.history.veil import shown_value
from gateway.history.visibility import visible_to
from gateway.models import Grade, GradingSettings, Rubric


@admin.register(GradingSettings)
class GradingSettingsAdmin(VersionedAdmin):
    list_display = ("__str__", "judge_model", "sample_percent", "daily_limit")
    fieldsets = (
        (
            "Judge",
            {
                "description": "A model that this gateway's routes lead to. It is asked through the gateway, and what "
                "it costs is in the sums under the key grading, for the team whose prompt it read.",
                "fields": (("judge_model", "timeout_seconds"), "gateway_url"),
            },
        ),
        (
            "Sampling",
            {
                "description": "Without it only what somebody asks for is graded.",
                "fields": (("sample_percent", "daily_limit"), "sample_teams"),
            },
        ),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not GradingSettings.objects.exists()


@admin.register(Rubric)
class RubricAdmin(VersionedAdmin):
    """A rubric is never changed: another wording is a new version, and prompts are graded anew by it when asked."""

    list_display = ("__str__", "note", "author_name", "made_at", "times")
    fields = ("instructions", "note")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"instructions": present_rubric().instructions} | super().get_changeform_initial_data(request)

    def has_change_permission(self, request: HttpRequest, obj: Rubric | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Rubric | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Rubric, form: Any, change: bool) -> None:
        obj.author_name = request.user.get_username()
        super().save_model(request, obj, form, change)

    @admin.display(description="Grades")
    def times(self, rubric: Rubric) -> int:
        return rubric.grades.count()


@admin.register(Grade)
class GradeAdmin(ModelAdmin[Grade]):
    """Only a person's correction can be changed; what the judge said stays."""

    list_display = ("__str__", "state", "score", "corrected_score", "suspect", "team", "origin", "asked_at", "problem")
    list_filter = ("state", "origin", "suspect", "rubric")
    list_per_page = 50
    show_full_result_count = False
    actions = ("confirm_selected", "ask_again")
    fieldsets = (
        (None, {"fields": (("state", "score"), ("rubric", "judge_model"), "failure", "request_link", "origin_line")}),
        ("What the judge wrote", {"fields": ("criteria_table", "feedback", "improved_prompt")}),
        ("Cost", {"fields": ("cost_usd", "judge_links", "attempts")}),
        (
            "A person's word",
            {
                "description": "Your points stand before the judge's; the same points confirm them.",
                "fields": (("corrected_score", "corrected_by", "corrected_at"), "correction_note"),
            },
        ),
    )
    readonly_fields = (
        "state", "score", "rubric", "judge_model", "failure", "request_link", "origin_line", "criteria_table",
        "feedback", "improved_prompt", "cost_usd", "judge_links", "attempts", "corrected_by", "corrected_at",
    )  # fmt: skip

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Grade]:
        return visible_grades(visible_to(request.user)).select_related("rubric")

    def save_model(self, request: HttpRequest, obj: Grade, form: Any, change: bool) -> None:
        correct(obj, obj.corrected_score, obj.correction_note, request.user.get_username())

    @admin.display(description="What went wrong")
    def failure(self, grade: Grade) -> str:
        return f"{FAILURES.get(grade.problem, grade.problem)} {grade.problem_detail}" if grade.problem else "nothing"

    @admin.display(description="Request")
    def request_link(self, grade: Grade) -> str:
        return request_link(grade.request_id) if grade.request_id else "none: the text was sent for grading by itself"

    @admin.display(description="Asked for")
    def origin_line(self, grade: Grade) -> str:
        return f"{grade.asked_at:%Y-%m-%d %H:%M} UTC, by {grade.asked_by or grade.origin}"

    @admin.display(description="Criteria")
    def criteria_table(self, grade: Grade) -> str:
        rows = [
            (TITLES.get(name, name), points, shown_value(grade.words, grade.team)["criteria"].get(name, ""))
            for name, points in grade.points.items()
        ]
        return format_html_join("", "<p><strong>{}: {} of 5.</strong> {}</p>", rows) or "none"

    @admin.display(description="Feedback")
    def feedback(self, grade: Grade) -> str:
        return shown_value(grade.words, grade.team)["feedback"] or "none"

    @admin.display(description="Improved prompt")
    def improved_prompt(self, grade: Grade) -> str:
        return format_html(
            '<pre class="difference">{}</pre>', shown_value(grade.words, grade.team)["improved_prompt"] or "none"
        )

    @admin.display(description="The judge's requests")
    def judge_links(self, grade: Grade) -> str:
        return format_html_join(", ", "{}", ((request_link(id),) for id in grade.judge_requests)) or "not known yet"

    @admin.action(description="Confirm: the judge's points are right", permissions=["change"])
    def confirm_selected(self, request: HttpRequest, grades: QuerySet[Grade]) -> None:
        done = [grade for grade in grades if grade.score is not None]
        for grade in done:
            correct(grade, grade.score, grade.correction_note, request.user.get_username())
        self.message_user(request, f"{len(done):,} grades are confirmed.", messages.SUCCESS)

    @admin.action(description="Ask again: those that failed", permissions=["change"])
    def ask_again(self, request: HttpRequest, grades: QuerySet[Grade]) -> None:
        again = grades.filter(state=Grade.State.FAILED).update(state=Grade.State.WAITING, attempts=0, problem="")
        self.message_user(request, f"{again:,} wait for the worker, which takes seconds.", messages.SUCCESS)


def correct(grade: Grade, score: int | None, note: str, name: str) -> None:
    grade.corrected_score, grade.correction_note, grade.corrected_by = score, note, name if score is not None else ""
    grade.corrected_at = timezone.now() if score is not None else None
    grade.save(update_fields=["corrected_score", "correction_note", "corrected_by", "corrected_at"])


def request_link(request_id: Any) -> str:
    address = reverse("admin:gateway_requestlog_detail", args=[request_id])
    return format_html('<a href="{}">{}</a>', address, request_id)
