"""The pages of figures: usage and cost, quota, models and latency."""

from __future__ import annotations

import csv
import html
import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard.access import Viewer
from dashboard.queries.own_usage import read_own_usage
from dashboard.queries.quota import read_quota, stepped
from dashboard.queries.usage import UsageQuery, bounds_of, forecast_month, inert, read_usage
from dashboard.scope import Scope
from gateway.history.quota import Sample as Used
from gateway.history.quota import Window, foretell
from gateway.history.rollups import roll_up_all
from gateway.history.visibility import EVERYTHING, Sight
from gateway.models import ApiKey
from tests.dashboard.people import client_of
from tests.exchanges import Sample, keep, message_stream

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = ("/d/usage/", "/d/quota/", "/d/models/")
ACCOUNT = "6f1d2c1e-58a1-4f0e-9d0b-2f7f3a6f5b11"


@pytest.fixture
def admin() -> Client:
    return client_of("superuser")


def turn(team: str = "alpha", model: str = "claude-opus-5-5", at: datetime | None = None, **changes: Any) -> Sample:
    moment = at or timezone.now() - timedelta(minutes=1)
    return Sample({"model": model}, message_stream("Hello.", model=model), moment, team=team, **changes)


def address(**changes: str) -> str:
    return "?" + "&".join(f"{name}={value}" for name, value in changes.items())


def usage(group: str = "model", span: str = "24h", sight: Sight = EVERYTHING) -> Any:
    return read_usage(UsageQuery(group), Scope(span), sight, timezone.now(), address)


def test_usage_shows_money_and_says_what_is_unknown(admin: Client) -> None:
    keep([turn(), turn(), turn(model="claude-<b>next</b>")])
    roll_up_all()
    text = admin.get("/d/usage/").content.decode()
    assert "claude-&lt;b&gt;next&lt;/b&gt;" in text
    assert "<b>next" not in text
    assert "$0.04" in text, "the sum of the two that have a price"
    assert "1 unpriced" in text


@pytest.mark.parametrize("group", ["model", "team", "member", "key", "provider", "client", "status", "outcome", "time"])
@pytest.mark.parametrize("span", ["24h", "30d"])
def test_no_turn_is_read_for_a_sum(admin: Client, group: str, span: str) -> None:
    keep([turn(), turn("beta")])
    roll_up_all()
    # Choices of the bar are read once a minute.
    admin.get("/d/usage/")
    with CaptureQueriesContext(connection) as queries:
        assert admin.get(f"/d/usage/?range={span}&group={group}").status_code == 200
    read = [entry["sql"] for entry in queries if "gateway_requestlog" in entry["sql"] or "responselog" in entry["sql"]]
    assert read == []


def test_sums_of_the_parts_are_the_sum_of_all() -> None:
    keep([turn(), turn("beta"), turn(model="claude-haiku-5-5"), turn(status=500)])
    roll_up_all()
    for span in ("24h", "30d"):
        for group in ("model", "team", "status", "time"):
            found = usage(group, span)
            assert sum(row.sums["requests"] for row in found.rows) == found.total.sums["requests"] == 4
            assert sum(row.share for row in found.rows) == pytest.approx(100)


def test_members_are_the_owners_of_their_keys() -> None:
    ada = User.objects.create_user("ada")
    for name in ("ada-laptop", "ada-desktop"):
        ApiKey.objects.create(name=name, owner=ada, digest=name.encode())
    keep([turn(access_key="ada-laptop"), turn(access_key="ada-desktop"), turn(access_key="robot")])
    roll_up_all()
    assert {row.value: row.sums["requests"] for row in usage("member").rows} == {"ada": 2, "": 1}


def test_every_row_leads_to_its_requests() -> None:
    keep([turn()])
    roll_up_all()
    narrowed = {group: usage(group).rows[0].narrowed for group in ("model", "team", "status", "time")}
    assert narrowed["model"] == {"model": "claude-opus-5-5"}
    assert narrowed["team"] == {"team": "alpha"}
    assert narrowed["status"] == {"q": "status:200"}
    assert narrowed["time"] is not None
    assert set(narrowed["time"]) == {"since", "until", "range"}


def test_a_day_is_as_long_as_the_clocks_make_it() -> None:
    begin, end = bounds_of(datetime(2026, 10, 25).date(), "Europe/Berlin")
    assert end.astimezone(UTC) - begin.astimezone(UTC) == timedelta(hours=25)


def test_a_team_sees_its_own_sums_only() -> None:
    keep([turn("alpha", "of-alpha"), turn("beta", "of-beta")])
    roll_up_all()
    text = client_of("member").get("/d/usage/").content.decode()
    assert "of-alpha" in text
    assert "of-beta" not in text
    both = client_of("ops").get("/d/models/").content.decode()
    assert "of-alpha" in both
    assert "of-beta" in both


@pytest.mark.parametrize("page", PAGES)
def test_who_opens_the_pages_of_figures(page: str) -> None:
    expected = {"anonymous": 302, "disabled": 302, "stranger": 403}
    for role in ("anonymous", "disabled", "stranger", "member", "lead", "ops", "admin"):
        assert client_of(role).get(page).status_code == expected.get(role, 200), role


def test_the_table_is_had_as_csv_that_no_spreadsheet_runs(admin: Client) -> None:
    keep([turn(model="=HYPERLINK(1)"), turn()])
    roll_up_all()
    response = admin.get("/d/usage/?format=csv")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in response["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert {row["model"] for row in rows} == {"'=HYPERLINK(1)", "claude-opus-5-5"}
    unpriced = next(row for row in rows if row["model"].startswith("'"))
    assert unpriced["cost_usd"] == ""
    assert [inert(text)[0] for text in ("=a", "+a", "-a", "@a", "\ta")] == ["'"] * 5


@pytest.mark.parametrize("days", [1, 8])
def test_a_month_is_foretold_from_the_last_days(days: int) -> None:
    now = timezone.now()
    keep([turn(at=now - timedelta(days=day, minutes=1)) for day in range(days)])
    roll_up_all()
    found = forecast_month("UTC", Scope(), EVERYTHING, now)
    assert found is not None
    assert found.so_far <= found.low <= found.expected <= found.high


def limits(at: datetime, used: float, resets: datetime, **changes: Any) -> Sample:
    headers = [
        ("content-type", "text/event-stream"),
        ("anthropic-organization-id", ACCOUNT),
        ("anthropic-ratelimit-unified-5h-utilization", f"{used:.2f}"),
        ("anthropic-ratelimit-unified-5h-reset", str(int(resets.timestamp()))),
        ("anthropic-ratelimit-unified-5h-status", "allowed"),
    ]
    return turn(at=at, response_headers=headers, **changes)


def burning(pace: float, now: datetime) -> None:
    """Half of the window has passed; `pace` of what would just last was used in each part of it."""
    resets = now + timedelta(hours=2.5)
    keep(
        [
            limits(
                now - timedelta(hours=2.5) + timedelta(minutes=15 * step), 0.05 * step * pace, resets, access_key="ada"
            )
            for step in range(10)
        ]
    )
    roll_up_all()


def test_a_window_that_will_not_last_says_when_it_is_used_up(admin: Client) -> None:
    now = timezone.now()
    burning(1.6, now)
    (window,) = read_quota(EVERYTHING, now)
    assert (window.name, window.account, window.used) == ("5h", ACCOUNT, 0.72)
    assert window.pace == pytest.approx(1.6, rel=0.02)
    assert window.forecast is not None
    assert window.forecast.full_at is not None
    assert now < window.forecast.full_at < window.resets_at
    assert window.tone == "bad"
    assert [burner.name for burner in window.burners] == ["ada"]
    text = admin.get("/d/quota/").content.decode()
    assert "will be used up at about" in text
    assert "ada made 100% of it" in text


def test_a_team_and_a_key_narrow_who_spent_and_nothing_else(admin: Client) -> None:
    now = timezone.now()
    burning(1.6, now)
    keep([turn("beta", access_key="bob"), turn("alpha", access_key="eve")])
    roll_up_all()
    shares = {}
    for narrowed in ("", "team=beta", "key=eve", "team=beta&key=eve"):
        text = admin.get(f"/d/quota/?{narrowed}").content.decode()
        assert "ada made 83% of it" in text, "the advice is about the window"
        assert ", as parts of what all spent" in text if narrowed else ", as parts of" not in text
        found = re.findall(r">(\w+)</a> <small>\w+</small><progress[^>]*>([\d.]+) %", text)
        shares[narrowed] = dict(found)
    assert shares == {
        "": {"ada": "83", "bob": "8.3", "eve": "8.3"},
        "team=beta": {"bob": "8.3"},
        "key=eve": {"eve": "8.3"},
        "team=beta&key=eve": {},
    }


def test_quota_asks_for_itself_again_as_it_was_asked_for(admin: Client) -> None:
    text = html.unescape(admin.get("/d/quota/?team=alpha&range=7d").content.decode())
    assert 'hx-get="/d/quota/?range=7d&team=alpha" hx-trigger="every 30s, visibilitychange from:document"' in text


def test_a_window_that_lasts_says_so() -> None:
    now = timezone.now()
    burning(0.6, now)
    (window,) = read_quota(EVERYTHING, now)
    assert window.forecast is not None
    assert window.forecast.full_at is None
    assert window.forecast.low <= window.forecast.at_reset <= window.forecast.high < 1
    assert window.tone == "good"


def test_a_time_to_begin_anew_that_is_over_when_it_is_said_is_none(admin: Client) -> None:
    now = timezone.now()
    keep([limits(now - timedelta(minutes=5), 0.5, now - timedelta(days=2))])
    (window,) = read_quota(EVERYTHING, now)
    assert (window.resets_at, window.forecast, window.pace, window.chart) == (None, None, None, None)
    assert admin.get("/d/quota/").status_code == 200


def test_what_an_account_said_last_of_its_overage_is_told_to_those_who_use_it(admin: Client) -> None:
    now = timezone.now()
    name, why = "anthropic-ratelimit-unified-overage-status", "anthropic-ratelimit-unified-overage-disabled-reason"
    for minutes, said in ((9, [(name, "allowed")]), (3, [(name, "rejected"), (why, "org_level_disabled")])):
        at = now - timedelta(minutes=minutes)
        told = limits(at, 0.5, now + timedelta(hours=2))
        keep([replace(told, response_headers=[*told.response_headers, *said])])
    roll_up_all()
    text = admin.get("/d/quota/").content.decode()
    assert re.search(r"Beyond its windows.*rejected.*org_level_disabled.*said \d+ min ago", text, re.S)
    assert "Beyond its windows" in client_of("lead").get("/d/quota/").content.decode()
    assert "Beyond its windows" not in client_of("other").get("/d/quota/").content.decode()


def test_a_reason_that_holds_no_more_is_not_told_of_an_account_that_goes_on(admin: Client) -> None:
    now = timezone.now()
    name, why = "anthropic-ratelimit-unified-overage-status", "anthropic-ratelimit-unified-overage-disabled-reason"
    for minutes, said in ((9, [(name, "rejected"), (why, "org_level_disabled")]), (3, [(name, "allowed")])):
        told = limits(now - timedelta(minutes=minutes), 0.5, now + timedelta(hours=2))
        keep([replace(told, response_headers=[*told.response_headers, *said])])
    roll_up_all()
    text = admin.get("/d/quota/").content.decode()
    assert re.search(r"Beyond its windows.*allowed", text, re.S)
    assert "org_level_disabled" not in text


def test_another_teams_account_is_not_shown() -> None:
    now = timezone.now()
    burning(1.0, now)
    assert read_quota(Sight(frozenset({"beta"})), now) == []
    assert len(read_quota(Sight(frozenset({"alpha"})), now)) == 1


def test_without_an_account_the_page_says_what_would_be_there(admin: Client) -> None:
    assert "No account has said what is left" in admin.get("/d/quota/").content.decode()


def test_the_forecast_takes_the_present_pace_and_gives_the_range() -> None:
    begins = datetime(2026, 11, 26, 8, tzinfo=UTC)
    at = begins + timedelta(hours=3)
    samples = [Used(begins + timedelta(minutes=30), 0.3), Used(begins + timedelta(hours=2), 0.3), Used(at, 0.4)]
    window = Window("5h", "a", timedelta(hours=5), 0.4, at, resets_at=begins + timedelta(hours=5), samples=samples)
    found = foretell(window, at)
    assert found is not None
    assert found.at_reset == pytest.approx(0.6)
    assert found.high == pytest.approx(0.4 + 2 * 0.4 / 3)
    assert found.full_at is None


def test_between_samples_the_last_one_holds() -> None:
    begin = datetime(2026, 11, 26, 8, tzinfo=UTC)
    times = [begin + timedelta(minutes=10 * step) for step in range(5)]
    samples = [Used(begin + timedelta(minutes=9), 0.1), Used(begin + timedelta(minutes=25), 0.2)]
    assert stepped(samples, times, times[3]) == [None, 10.0, 10.0, 20.0, None]


def test_models_show_percentiles_errors_and_a_map_of_latency(admin: Client) -> None:
    keep([turn(first_ms=900), turn(first_ms=1_000), turn(first_ms=4_000), turn(status=529)])
    roll_up_all()
    text = admin.get("/d/models/").content.decode()
    for part in ("claude-opus-5-5", "529", "su-heat-", "Pace of streams"):
        assert part in text, part
    for query in ("?measure=duration", "?range=30d", "?range=7d&model=claude-opus-5-5", "?range=30d&team=nobody"):
        assert admin.get(f"/d/models/{query}").status_code == 200


@pytest.mark.parametrize(
    ("against", "slower", "head"),
    [
        ("", False, "p95 before"),
        ("against=week", True, "p95 a week before"),
        ("against=time", True, "p95 then"),
        ("against=time&against_since={month}", True, "p95 then"),
        ("against=time&against_since={month}&against_until={week}", True, "p95 then"),
        ("against=time&against_since=1999-01-01", False, "p95 then"),
        ("against=time&against_since=9999-12-31", True, "p95 then"),
        ("against=nonsense", False, "p95 before"),
    ],
)
def test_models_are_compared_with_the_time_that_is_asked_for(
    admin: Client, against: str, slower: bool, head: str
) -> None:
    now = timezone.now() - timedelta(minutes=1)
    week, month = now - timedelta(days=7), now - timedelta(days=30)
    keep([turn(at=now, first_ms=9_000), turn(at=week, first_ms=300), turn(at=month, first_ms=300)])
    roll_up_all()
    times = {"month": f"{month - timedelta(hours=2):%Y-%m-%dT%H:%M}", "week": f"{week:%Y-%m-%dT%H:%M}"}
    text = html.unescape(admin.get(f"/d/models/?range=5h&measure=duration&{against.format(**times)}").content.decode())
    assert f">{head}<" in text
    assert ("slower now" in text) == slower
    known = against.format(**times).partition("&against_since=9999")[0]
    kept = f"&{known}" if "nonsense" not in against and against else ""
    links = text.replace(":", "%3A")
    assert f'href="?range=5h&measure=first_byte{kept}"'.replace(":", "%3A") in links
    assert f'href="?range=7d&measure=duration{kept}"'.replace(":", "%3A") in links, "another time keeps the comparison"
    assert '<input type="hidden" name="measure" value="duration">' in text.partition('class="sh-choice')[0]


def test_a_time_at_the_end_of_the_calendar_is_none(admin: Client) -> None:
    for query in ("since=0001-01-01", "since=9999-12-31", "since=2026-11-01&until=9999-12-31"):
        assert admin.get(f"/d/models/?{query}").status_code == 200, query


def test_models_say_why_answers_ended_and_how_large_prompts_were(admin: Client) -> None:
    def answered(stop: str, tokens: int, first_ms: int) -> Sample:
        chunks = message_stream("Hi.", stop=stop, usage={"input_tokens": tokens, "cache_read_input_tokens": 100})
        return Sample({"model": "claude-opus-5-5"}, chunks, timezone.now(), team="alpha", first_ms=first_ms)

    keep([answered("end_turn", 500, 400), answered("tool_use", 60_000, 1_000), answered("tool_use", 70_000, 3_000)])
    roll_up_all()
    text = html.unescape(admin.get("/d/models/").content.decode())
    assert re.search(r'q=stop%3A%22tool_use%22">tool_use</a>.*?67 % <small>2<', text)
    assert re.search(r'q=stop%3A%22end_turn%22">end_turn</a>.*?33 % <small>1<', text)
    assert re.search(r"50k to 100k<.*?2 <small>first byte 2\.0 s<", text)
    assert re.search(r"0 to 10k<.*?1 <small>first byte 400 ms<", text)
    other = client_of("other").get("/d/models/").content.decode()
    assert "tool_use" not in other


def test_one_s_own_page_says_what_one_used_and_which_part_of_a_window() -> None:
    now = timezone.now()
    lead = client_of("lead")
    owner = User.objects.get(username="lead")
    ApiKey.objects.create(name="ada", owner=owner, digest=b"d1")
    burning(0.8, now)
    keep([turn(access_key="eve")])
    roll_up_all()
    text = lead.get("/d/me/").content.decode()
    assert "Your last seven days" in text
    (own,) = read_own_usage(Viewer.of(owner), now)["own_shares"]
    assert own.window.name == "5h"
    assert own.share is not None
    assert 0 < own.share < 1
    assert "Your last seven days" not in client_of("other").get("/d/me/").content.decode(), "they have no key"
