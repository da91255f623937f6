"""Alerts in a real browser: looked at, acknowledged, muted, a channel and a rule tried; on a phone and in the dark."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from gateway.announcing.announce import announce
from gateway.configuration.channels import set_address
from gateway.models import AlertChannel, AlertRule
from tests.browser.conftest import Windows
from tests.browser.test_admin_pages import fits
from tests.browser.trouble import Trouble
from tests.dashboard.test_alerts import opened

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def alerts() -> AlertRule:
    """Some that are open, some that were, a channel that cannot be reached, and what it was to be told."""
    AlertRule.objects.all().delete()
    values = {"metric": "error_rate", "threshold": 5, "per": "provider", "note": "The page of errors groups them."}
    rule = AlertRule.objects.create(name="errors-over-5-percent", severity="warning", **values)
    AlertRule.objects.create(name="breaker-open", metric="breaker_open", threshold=1, window=0, severity="critical")
    opened("anthropic", team="alpha")
    opened("a-provider-with-a-very-long-name-of-its-own <b>x</b>", severity="critical", told_at=None)
    for number in range(5):
        opened(f"openai-{number}", state="resolved")
    channel = AlertChannel(name="ops", way="slack")
    set_address(channel, "http://10.0.0.7/services/T0/B0/the-key-of-the-hook")
    channel.save()
    announce("alert", "warning", "anthropic: Errors 14.25 %", dedup_key="k")
    return rule


def test_an_alert_is_acknowledged_and_a_rule_muted(open_page: Windows, trouble: Trouble, alerts: AlertRule) -> None:
    page = open_page(reverse("d:alerts"))
    expect(page.locator(".al-one")).to_have_count(2)
    first = page.locator(".al-one").filter(has_text="anthropic: 14.3 %")
    first.get_by_label("Note").fill("I am at it")
    first.get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".al-one").filter(has_text="acknowledged")).to_contain_text("I am at it")
    page.get_by_label("Mute errors-over-5-percent for").select_option("24h")
    page.locator(".al-rules li").filter(has_text="errors-over-5-percent").get_by_role("button", name="Mute").click()
    expect(page.get_by_role("button", name="End the mute")).to_have_count(1)
    expect(page.locator(".al-one").first).to_contain_text("muted until")
    page.get_by_role("link", name="critical", exact=True).click()
    expect(page.locator(".al-one")).to_have_count(1)
    trouble.expect_none(page)


def test_a_rule_and_a_channel_are_tried(open_page: Windows, trouble: Trouble, alerts: AlertRule) -> None:
    page = open_page(reverse("admin:gateway_alertrule_change", args=[alerts.pk]))
    page.get_by_role("link", name="What it says now, and a test").click()
    expect(page.get_by_role("heading", name="Who would be told")).to_be_visible()
    page.get_by_role("button", name="Send a test message").click()
    expect(page.get_by_text("ops: not delivered: ")).to_contain_text("private address 10.0.0.7")
    page.get_by_role("link", name="ops", exact=True).click()
    expect(page.get_by_text("http://10.0.0.7/…hook")).to_be_visible()
    trouble.expect_none(page)


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1440, "light"), (1440, "dark")])
def test_the_pages_fit(open_page: Windows, trouble: Trouble, alerts: AlertRule, width: int, scheme: str) -> None:
    channel = AlertChannel.objects.get()
    for address in (
        reverse("d:alerts"),
        reverse("admin:gateway_alertrule_test", args=[alerts.pk]),
        reverse("admin:gateway_alertrule_change", args=[alerts.pk]),
        reverse("admin:gateway_alertrule_changelist"),
        reverse("admin:gateway_alertchannel_test", args=[channel.pk]),
        reverse("admin:gateway_alertchannel_change", args=[channel.pk]),
        reverse("admin:gateway_announcement_changelist"),
        reverse("admin:gateway_delivery_changelist"),
    ):
        page = open_page(address, width=width, scheme=scheme)
        assert fits(page), address
        trouble.expect_none(page)
