"""What stands around every page, and who gets in."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from django.conf import settings
from unfold.settings import CONFIG_DEFAULTS

from dashboard.access import Viewer
from dashboard.pages import PAGES, Need
from dashboard.shell import pages_for
from tests.dashboard.people import client_of, person

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("role", ["anonymous", "disabled"])
def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(role: str) -> None:
    response = client_of(role).get("/d/?range=7d")
    assert response.status_code == 302
    assert response["Location"].startswith(settings.LOGIN_URL)
    assert "next=/d/%3Frange%3D7d" in response["Location"]


def test_who_belongs_nowhere_is_told_whom_to_ask() -> None:
    response = client_of("stranger").get("/d/")
    assert response.status_code == 403
    assert "Ask an administrator to add you" in response.content.decode()


@pytest.mark.parametrize("role", ["member", "lead", "other", "ops", "admin", "superuser"])
def test_who_belongs_somewhere_gets_in(role: str) -> None:
    assert client_of(role).get("/d/").status_code == 200


def test_a_page_only_reads() -> None:
    assert client_of("superuser").post("/d/").status_code == 405


def test_ops_see_figures_of_all_and_what_was_said_of_nobody() -> None:
    viewer = Viewer.of(person("ops"))
    assert viewer.figures.teams is None
    assert viewer.rows.teams == frozenset()
    assert not viewer.may(Need.ROWS)
    assert all(page.need is not Need.ROWS for page in pages_for(viewer))


def test_a_lead_sees_rows_and_figures_of_the_team_only() -> None:
    viewer = Viewer.of(person("lead"))
    assert viewer.rows.teams == viewer.figures.teams == {"alpha"}


def test_links_to_other_pages_carry_the_scope_on() -> None:
    page = html.unescape(client_of("superuser").get("/d/?range=7d&model=claude-opus-5-5").content.decode())
    assert 'href="/d/?range=7d&model=claude-opus-5-5" data-go="o" aria-current="page"' in page


@pytest.mark.parametrize("address", ["/d/health/", "/d/me/", "/d/alerts/", "/d/quota/", "/d/live/", "/d/agents/"])
def test_links_carry_on_what_a_page_does_not_go_by(address: str) -> None:
    page = html.unescape(client_of("superuser").get(f"{address}?range=7d&team=alpha&q=x").content.decode())
    assert 'href="/d/usage/?range=7d&team=alpha" data-go="u"' in page


@pytest.mark.parametrize(
    ("address", "chosen", "carried"),
    [
        ("/d/usage/", {"team", "key", "model", "provider"}, {"range"}),
        ("/d/live/", {"team", "key", "model", "provider"}, {"range"}),
        ("/d/agents/", {"team", "key", "model", "provider"}, {"range"}),
        ("/d/quota/", {"team", "key"}, {"range", "model", "provider"}),
        ("/d/health/", set(), set()),
        ("/d/me/", set(), set()),
    ],
)
def test_a_bar_has_the_parts_that_its_page_goes_by_and_keeps_the_others(
    address: str, chosen: set[str], carried: set[str]
) -> None:
    page = client_of("superuser").get(f"{address}?range=7d&team=alpha&key=k&model=m&provider=p").content.decode()
    bar = page.split('<form class="sh-scope"')[1].split("</form>")[0] if 'class="sh-scope"' in page else ""
    assert set(re.findall(r'<select name="(\w+)"', bar)) == chosen
    assert set(re.findall(r'<input type="hidden" name="(\w+)"', bar)) == carried
    assert ('class="sh-ranges"' in bar) == (address == "/d/usage/")


def test_every_page_has_a_key_of_its_own() -> None:
    assert len({page.key for page in PAGES}) == len(PAGES) == len({page.name for page in PAGES})


def test_the_colours_are_those_of_the_admin() -> None:
    written = Path("dashboard/static/turnlog/tokens.css").read_text()
    for name in ("base", "primary"):
        colours = settings.UNFOLD["COLORS"].get(name) or CONFIG_DEFAULTS["COLORS"][name]
        for weight, value in colours.items():
            assert f"--color-{name}-{weight}: {value};" in written


def test_a_page_under_d_runs_nothing_inline_and_is_kept_by_no_cache() -> None:
    response = client_of("superuser").get("/d/")
    assert "script-src 'self';" in response["Content-Security-Policy"]
    assert response["Cache-Control"] == "no-store"
    page = response.content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"\s(style|on\w+)=", page)


def test_the_admin_s_side_bar_has_every_page() -> None:
    page = client_of("superuser")
    user = person("superuser")
    assert user is not None
    user.is_staff = True
    user.save()
    shown = page.get("/admin/").content.decode()
    for item in pages_for(Viewer.of(user)):
        assert f'href="{item.address}"' in shown
