"""Grades of prompts: the page of all, and the part of a request's page, where one is asked for and corrected."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard.access import Viewer, guarded, page
from dashboard.pages import Need
from dashboard.queries.grades import read_grade, read_grades
from dashboard.scope import Scope
from dashboard.shell import show
from gateway.admin.grading import correct
from gateway.grading.asking import Asker, ask_for_request, grade_of
from gateway.grading.prompt_text import NoWords
from gateway.models import Grade, RequestLog

LONGEST_NOTE = 2_000


@page("grades")
def grades(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    scope = Scope.read({"range": "30d", **request.GET.dict()})
    context = read_grades(viewer, scope, request.GET.dict())
    return show(request, viewer, "grades", "dashboard/grades.html", context, scope=scope)


@require_safe
@guarded(Need.ROWS)
def request_grade_page(request: HttpRequest, viewer: Viewer, request_id: UUID) -> HttpResponse:
    """The grade of one request on a page of its own."""
    visible_row(viewer, request_id)
    context = read_grade(request_id) | {"request_page": reverse("d:request", args=[request_id])}
    return show(request, viewer, "grades", "dashboard/request_grade.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@guarded(Need.ROWS)
def request_grade(request: HttpRequest, viewer: Viewer, request_id: UUID) -> HttpResponse:
    """The part of a request's page; a POST asks for the grade."""
    row = visible_row(viewer, request_id)
    problem = ""
    if request.method == "POST":
        try:
            ask_for_request(row, Asker(Grade.Origin.PAGE, viewer.user.get_username()))
        except NoWords as nothing:
            problem = str(nothing)
    return part(request, request_id, problem)


@require_POST
@guarded(Need.ROWS)
def correct_grade(request: HttpRequest, viewer: Viewer, request_id: UUID) -> HttpResponse:
    """A person's points, 1 to 5, in `score`; empty takes them back."""
    visible_row(viewer, request_id)
    grade = grade_of(request_id)
    if grade is None or grade.state != Grade.State.DONE:
        raise Http404("There is no grade to correct.")
    told = request.POST.get("score", "")
    if told not in ("", "1", "2", "3", "4", "5"):
        return part(request, request_id, "Points are whole numbers from 1 to 5.")
    note = request.POST.get("note", "").replace("\0", "")[:LONGEST_NOTE]
    correct(grade, int(told) if told else None, note, viewer.user.get_username())
    return part(request, request_id)


def visible_row(viewer: Viewer, request_id: UUID) -> RequestLog:
    """Another team's request and one that was never made look the same."""
    row = viewer.rows.requests().select_related("header_record").filter(id=request_id).first()
    if row is None:
        raise Http404("The history holds no request of this id.")
    return row


def part(request: HttpRequest, request_id: UUID, problem: str = "") -> HttpResponse:
    return render(request, "dashboard/parts/grade.html", read_grade(request_id) | {"problem": problem})
