"""The pages of prices and recomputations, and the way to the page of usage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from gateway.history.rollups import roll_up_all
from gateway.models import CostRun, ModelPrice, OverallDay, RollupDay, RollupZone
from tests.exchanges import Sample, keep, message_stream

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/admin/gateway/rolluphour/"


def turn(team: str = "blue", model: str = "claude-opus-5-5", at: datetime | None = None) -> Sample:
    moment = at or timezone.now() - timedelta(minutes=1)
    return Sample({"model": model}, message_stream("Hello.", model=model), moment, team=team)


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def test_the_sums_are_shown_by_the_page_of_the_dashboard(admin: Client) -> None:
    assert admin.get(PAGE).headers["Location"] == "/d/usage/"


def test_without_the_permission_there_is_no_page() -> None:
    client = Client()
    client.force_login(User.objects.create_user("eve", is_staff=True))
    assert client.get(PAGE).status_code == 403


def test_prices_are_listed_and_one_is_edited(admin: Client) -> None:
    text = admin.get("/admin/gateway/modelprice/?q=claude-opus-5-5").content.decode()
    assert "claude-opus-5-5" in text
    price = ModelPrice.objects.get(model="claude-opus-5-5", tier="standard")
    assert admin.get(f"/admin/gateway/modelprice/{price.pk}/change/").status_code == 200


def test_the_action_asks_for_recomputations_of_the_time_the_prices_hold(admin: Client) -> None:
    prices = ModelPrice.objects.filter(model="claude-sonnet-5-5", tier="standard")
    form = {"action": "recompute_selected", "_selected_action": [str(price.pk) for price in prices]}
    admin.post("/admin/gateway/modelprice/", form)
    asked = list(CostRun.objects.order_by("until").values_list("model", "since", "until", "asked_by"))
    change = datetime(2026, 10, 7, tzinfo=UTC)
    assert [(model, until, by) for model, _, until, by in asked] == [
        ("claude-sonnet-5-5", change, "root"),
        ("claude-sonnet-5-5", None, "root"),
    ]
    assert admin.get("/admin/gateway/costrun/").status_code == 200


def test_a_zone_is_added_with_its_days_and_goes_with_them(admin: Client) -> None:
    keep([turn()])
    roll_up_all()
    assert "no time zone" in admin.post("/admin/gateway/rollupzone/add/", {"name": "Berlin"}).content.decode()
    admin.post("/admin/gateway/rollupzone/add/", {"name": "Europe/Berlin"})
    roll_up_all()
    assert RollupDay.objects.filter(zone="Europe/Berlin").exists()
    zone = RollupZone.objects.get(name="Europe/Berlin")
    admin.post(f"/admin/gateway/rollupzone/{zone.pk}/delete/", {"post": "yes"})
    for table in (RollupDay, OverallDay):
        assert not table.objects.filter(zone="Europe/Berlin").exists()


def test_capabilities_are_listed(admin: Client) -> None:
    keep([Sample({"model": "m"}, request_headers=[("user-agent", "claude-cli/2.1 (x)"), ("anthropic-beta", "b-1")])])
    assert "b-1" in admin.get("/admin/gateway/capability/").content.decode()
