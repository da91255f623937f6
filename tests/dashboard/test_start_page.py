"""The admin's first page, and its sidebar."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard.queries import notices
from gateway.dialects.names import Outcome
from gateway.history.rollups import roll_up_all
from gateway.models import ConfigurationRevision, RequestLog
from tests.dashboard.people import client_of
from tests.exchanges import Sample, keep

pytestmark = pytest.mark.django_db

DASHES = ("\N{EN DASH}", "")
REQUEST = {"model": "claude-opus-5-5", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("admin", "admin@example.com", "secret"))
    return client


def tiles(page: str) -> dict[str, str]:
    found = re.findall(r'pt-label">([^<]+)</span>\s*<span class="pt-value[^"]*">([^<]*)<', page)
    return {name: value.replace("\xa0", " ").strip() for name, value in found}


def start(client: Client) -> str:
    response = client.get("/admin/")
    assert response.status_code == 200
    return response.content.decode()


def test_an_empty_history_teaches_how_to_connect(admin: Client) -> None:
    page = html.unescape(start(admin))
    assert "export ANTHROPIC_BASE_URL=http://testserver" in page
    assert 'base_url = "http://testserver/v1"' in page


def test_it_sums_the_last_day_as_the_overview_does(admin: Client) -> None:
    now = datetime.now(UTC)
    keep(
        [
            *[Sample(REQUEST) for _ in range(3)],
            Sample(REQUEST, status=529, outcome=Outcome.UPSTREAM_ERROR, chunks=[b"{}"]),
            Sample(REQUEST, at=now - timedelta(hours=26)),
        ]
    )
    roll_up_all()
    for address in ("/admin/", "/d/"):
        page = tiles(admin.get(address).content.decode())
        assert (page["Requests"], page["Failed"]) == ("4", "25 %"), address


def test_unknown_tokens_are_not_summed_to_zero(admin: Client) -> None:
    keep([Sample(REQUEST, chunks=[b"{}"])])
    roll_up_all()
    assert tiles(start(admin))["Tokens out"] in DASHES


def test_each_figure_leads_to_its_page(admin: Client) -> None:
    keep([Sample(REQUEST, status=529, outcome=Outcome.UPSTREAM_ERROR, chunks=[b"{}"])])
    roll_up_all()
    page = start(admin)
    for address in ("/d/requests/", "/d/errors/", "/d/usage/", "/d/models/", "/d/quota/", "/d/health/"):
        assert f'href="{address}"' in page, address
    assert f'href="/d/r/{RequestLog.objects.get().id}/"' in page
    assert "1 accepted" not in page, "the spool of the tests holds nothing"
    assert "accepted =" in page


def test_the_account_in_most_danger_stands_there(admin: Client) -> None:
    now = datetime.now(UTC)
    told = [
        ("anthropic-organization-id", "org-1"),
        ("anthropic-ratelimit-unified-5h-utilization", "0.93"),
        ("anthropic-ratelimit-unified-5h-reset", str(int((now + timedelta(hours=2)).timestamp()))),
    ]
    keep([Sample(REQUEST, response_headers=told)])
    page = start(admin)
    assert "5h window" in page
    assert "93 %" in page


def test_what_fails_most_and_what_is_slowest_stand_there(admin: Client) -> None:
    failed = {"status": 529, "outcome": Outcome.UPSTREAM_ERROR, "chunks": [b"{}"]}
    keep([Sample(REQUEST, **failed) for _ in range(3)] + [Sample(REQUEST, first_ms=first) for first in (700, 9_000)])
    slow = RequestLog.objects.get(response__first_byte_ms__gte=9_000)
    page = start(admin)
    assert re.search(
        r'href="/d/requests/\?q=outcome%3Aupstream_error\+status%3A529[^"]*">[^<]+</a>.*?"pt-much">3 ', page
    )
    assert re.search(
        rf'href="/d/r/{slow.id}/\?tab=timeline">claude-opus-5-5</a></span><span class="pt-much">9.0 s', page
    )


def test_what_changed_the_configuration_is_marked_and_told_whole_to_those_who_see_every_team(admin: Client) -> None:
    ConfigurationRevision.objects.create(author_name="ada", note="rule for beta", difference="", document="")
    number = ConfigurationRevision.objects.get().pk
    keep([Sample(REQUEST, team="alpha")])
    roll_up_all()
    assert f"configuration, version {number}, ada, rule for beta" in start(admin)
    page = client_of("lead").get("/d/").content.decode()
    assert f"configuration, version {number}" in page
    assert "rule for beta" not in page


def test_the_month_is_foretold_beside_the_cost(admin: Client) -> None:
    keep([Sample(REQUEST)])
    roll_up_all()
    assert re.search(r"month ≈ \$\d+\.\d\d", start(admin))


def test_the_line_that_moves_is_asked_for_again(admin: Client) -> None:
    keep([Sample(REQUEST)])
    assert 'hx-get="/d/line/"' in start(admin)
    line = admin.get("/d/line/").content.decode()
    assert 'id="overview-line"' in line
    assert "in flight" in line


def test_it_costs_a_fixed_number_of_queries(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PROCESSES_SECONDS", "QUOTA_SECONDS"):
        monkeypatch.setattr(notices, name, 3_600)
    cache.clear()
    keep([Sample(REQUEST)])
    start(admin)  # notices are remembered for some seconds
    with CaptureQueriesContext(connection) as few:
        start(admin)
    keep([Sample(REQUEST) for _ in range(8)])
    with CaptureQueriesContext(connection) as full:
        start(admin)
    assert len(full) == len(few) <= 22


def test_the_sidebar_shows_what_one_may_see(admin: Client) -> None:
    page = start(admin)
    assert 'href="/admin/gateway/requestlog/"' in page
    assert 'href="/admin/gateway/deadletter/"' in page
    other = Client()
    other.force_login(User.objects.create_user("staff", password="x", is_staff=True))
    assert 'href="/admin/gateway/requestlog/"' not in start(other)
    assert "Last 24 hours" not in start(other)
