"""Grades in a real browser: looked at, asked for and corrected; on a phone and in the dark."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from gateway.models import Grade, GradingSettings
from tests.browser.conftest import Windows
from tests.browser.test_admin_pages import fits
from tests.browser.trouble import Trouble
from tests.dashboard.test_grades import graded, kept

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_grade_is_asked_for_and_corrected(open_page: Windows, trouble: Trouble) -> None:
    GradingSettings.objects.create(judge_model="claude-judge-1")
    asked, done = kept("Rename the function."), kept("Fix the parser, please.")
    graded(done, 2)
    page = open_page(reverse("d:request_grade_page", args=[asked]))
    page.get_by_role("button", name="Grade this prompt").click()
    expect(page.locator(".gr-score")).to_contain_text("waits for the judge")
    page.goto(reverse("d:request_grade_page", args=[done]))
    page.get_by_label("Your points").select_option("4")
    page.get_by_label("Why").fill("It names the file.")
    page.get_by_role("button", name="Correct or confirm").click()
    expect(page.locator(".gr-score")).to_contain_text("4 of 5 (the judge: 2)")
    page.goto(reverse("d:grades"))
    expect(page.locator(".gr-one")).to_have_count(2)
    page.locator(".gr-one summary").nth(1).click()
    expect(page.locator(".gr-one[open] pre")).to_contain_text("better <script>alert(1)</script>")
    trouble.expect_none(page)


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1440, "dark")])
def test_the_pages_fit(open_page: Windows, trouble: Trouble, width: int, scheme: str) -> None:
    done = kept("Fix the parser, please.")
    graded(done, 2)
    Grade.objects.update(problem_detail="x" * 500)
    for address in (reverse("d:grades"), reverse("d:request_grade_page", args=[done])):
        page = open_page(address, width=width, scheme=scheme)
        assert fits(page)
        trouble.expect_none(page)


COLOURED = """(at) => {
    const plot = document.querySelector('figure[data-chart]').plot, canvas = plot.root.querySelector('canvas');
    const probe = new OffscreenCanvas(1, 1).getContext('2d');
    probe.fillStyle = plot.series[at].stroke();
    probe.fillRect(0, 0, 1, 1);
    const tone = probe.getImageData(0, 0, 1, 1).data;
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const near = (i) => data[i + 3] > 100 && [0, 1, 2].every((part) => Math.abs(data[i + part] - tone[part]) < 24);
    let found = 0;
    for (let i = 0; i < data.length; i += 4) found += near(i);
    return found;
}"""


def test_a_value_between_two_gaps_is_drawn(open_page: Windows, trouble: Trouble) -> None:
    days = {"alpha": 2, "beta": 1}
    for team, ago in days.items():
        graded(kept(f"Rename the function of {team}."), 4)
        newest = Grade.objects.latest("pk")
        Grade.objects.filter(pk=newest.pk).update(team=team, graded_at=timezone.now() - timedelta(days=ago))
    page = open_page(reverse("d:grades") + "?range=7d")
    expect(page.locator(".pt-keys")).to_contain_text("beta")
    for at in (1, 2):
        assert page.evaluate(COLOURED, at) > 5
    trouble.expect_none(page)
