"""The page of grades, and the part of a request's page."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from gateway.grading.asking import Asker, ask_for_request
from gateway.grading.rubric import CRITERIA
from gateway.history.removal import remove
from gateway.models import Grade, GradedRequest, GradingSettings, RequestLog
from gateway.models.at_rest import seal_json
from tests.dashboard.people import client_of
from tests.exchanges import Sample, keep

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"


def kept(prompt: str, team: str = "alpha") -> uuid.UUID:
    request = {"model": "claude-opus-5-5", "max_tokens": 5, "messages": [{"role": "user", "content": prompt}]}
    return keep([Sample(request, team=team)])[0]


def asked(request_id: uuid.UUID) -> Grade:
    row = RequestLog.objects.select_related("header_record").get(id=request_id)
    return ask_for_request(row, Asker(Grade.Origin.PAGE, "ada"))


def graded(request_id: uuid.UUID, score: int = 3, **values: Any) -> Grade:
    grade = asked(request_id)
    said = {"feedback": f"words {HOSTILE}", "improved_prompt": f"better {HOSTILE}", "criteria": {"clarity": HOSTILE}}
    told = {
        "state": "done", "score": score, "points": dict.fromkeys(CRITERIA, score), "said": seal_json(said),
        "graded_at": timezone.now(), "cost_usd": Decimal("0.007"), "judge_model": "judge",
    }  # fmt: skip
    Grade.objects.filter(pk=grade.pk).update(**told | values)
    grade.refresh_from_db()
    return grade


@pytest.mark.parametrize(
    ("role", "status", "sees"),
    [
        ("anonymous", 302, ()),
        ("stranger", 403, ()),
        ("disabled", 302, ()),
        ("member", 200, ("alpha",)),
        ("other", 200, ("beta",)),
        ("ops", 403, ()),
        ("admin", 200, ("alpha", "beta")),
    ],
)
def test_a_team_sees_its_own_grades(role: str, status: int, sees: tuple[str, ...]) -> None:
    requests = {team: kept(f"Do {team}.", team) for team in ("alpha", "beta")}
    for request_id in requests.values():
        graded(request_id)
    client = client_of(role)
    page = client.get(reverse("d:grades"))
    assert page.status_code == status
    for team, request_id in requests.items():
        assert (str(request_id) in page.content.decode()) is (team in sees)
        part = client.get(reverse("d:request_grade", args=[request_id]))
        expected = {302: 302, 403: 403}.get(status, 200 if team in sees else 404)
        assert part.status_code == expected
        asked_for = client.post(reverse("d:request_grade", args=[request_id]))
        assert asked_for.status_code == expected
        corrected = client.post(reverse("d:correct_grade", args=[request_id]), {"score": "1"})
        assert corrected.status_code == expected


def test_what_the_judge_wrote_is_only_text() -> None:
    request_id = kept("Do it.")
    graded(request_id)
    client = client_of("member")
    for address in (reverse("d:grades"), reverse("d:request_grade_page", args=[request_id])):
        page = client.get(address).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_a_grade_is_asked_for_and_corrected_on_the_page() -> None:
    request_id = kept("Do it.")
    client = client_of("member")
    part = reverse("d:request_grade", args=[request_id])
    assert "Grade this prompt" in client.get(part).content.decode()
    assert "waits for the judge" in client.post(part).content.decode()
    assert Grade.objects.get().asked_by == "member"
    graded(request_id)
    address = reverse("d:correct_grade", args=[request_id])
    answer = client.post(address, {"score": "5", "note": "It is fine."}).content.decode()
    assert "Corrected by member: It is fine." in answer
    assert "people" in answer or "(the judge: 3)" in answer
    assert "whole numbers" in client.post(address, {"score": "6"}).content.decode()
    assert Grade.objects.get().final_score == 5
    client.post(address, {"score": ""})
    assert Grade.objects.get().final_score == 3


def test_means_leave_out_what_spoke_to_the_judge_and_agreement_is_shown() -> None:
    GradingSettings.objects.create(judge_model="judge")
    graded(kept("One."), 2)
    graded(kept("Two."), 4, corrected_score=4)
    graded(kept("Three."), 5, suspect=True)
    page = client_of("member").get(reverse("d:grades")).content.decode()
    assert 'class="pt-value">3</span>' in page.replace("\n", "")
    assert "100 %" in page
    assert "speaks to the judge" in page
    worst = client_of("member").get(reverse("d:grades") + "?order=worst").content.decode()
    assert worst.index('gr-points">2') < worst.index('gr-points">4')


@pytest.mark.parametrize("query", ["?order=x", "?before=abc", "?before=9999999999999999999", "?state=%00", "?range=1h"])
def test_any_address_is_a_page(query: str) -> None:
    graded(kept("One."))
    assert client_of("member").get(reverse("d:grades") + query).status_code == 200


def test_a_request_without_words_is_told_so() -> None:
    request_id = kept("<system-reminder>only a reminder</system-reminder>")
    answer = client_of("member").post(reverse("d:request_grade", args=[request_id])).content.decode()
    assert "Not graded: no person wrote anything in it" in answer
    assert not Grade.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_what_is_erased_takes_its_grade_along_unless_another_request_says_the_same() -> None:
    first, second, other = kept("Same."), kept("Same."), kept("Other.")
    grades = {graded(request_id).pk for request_id in (first, second)}
    graded(other)
    assert len(grades) == 1
    list(remove(sorted([first, other])))
    assert set(Grade.objects.values_list("pk", flat=True)) == grades
    assert list(GradedRequest.objects.values_list("request_id", flat=True)) == [second]
    list(remove([second]))
    assert not Grade.objects.exists()


def test_the_admin_confirms_grades_and_adds_rubrics(admin_client: Any) -> None:
    request_id = kept("Do it.")
    grade = graded(request_id, 4)
    listing = reverse("admin:gateway_grade_changelist")
    admin_client.post(listing, {"action": "confirm_selected", "_selected_action": [grade.pk]})
    grade.refresh_from_db()
    assert (grade.corrected_score, grade.corrected_by) == (4, "admin")
    for name in ("gateway_grade_changelist", "gateway_rubric_changelist", "gateway_rubric_add"):
        assert admin_client.get(reverse(f"admin:{name}")).status_code == 200
    shown = admin_client.get(reverse("admin:gateway_grade_change", args=[grade.pk])).content.decode()
    assert "&lt;script&gt;alert(1)" in shown
    added = admin_client.post(reverse("admin:gateway_rubric_add"), {"instructions": "New.", "note": ""}, follow=True)
    assert added.status_code == 200
    assert asked(request_id).rubric.instructions == "New."
