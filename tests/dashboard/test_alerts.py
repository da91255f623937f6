"""The page of alerts, and the admin's pages of rules, channels and what was told."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dashboard.models import AuditEvent
from gateway.announcing.announce import announce
from gateway.configuration.sealing import unseal
from gateway.models import Alert, AlertChannel, AlertRule, ConfigurationRevision, Delivery
from tests.dashboard.people import client_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shipped_rules")]
HOSTILE = "<script>alert(1)</script>"
ADDRESS = "https://hooks.slack.example/services/T0/B0/the-key-of-the-hook"


def opened(subject: str, team: str = "", state: str = "open", **values: Any) -> Alert:
    now = timezone.now()
    rule = AlertRule.objects.get(name="errors-over-5-percent")
    known: dict[str, Any] = {
        "rule": rule, "rule_name": rule.name, "metric": rule.metric, "condition": rule.condition, "unit": "%",
        "severity": "warning", "since": now, "opened_at": now - datetime.timedelta(minutes=3), "value": 12.5,
        "last_value": 14.25, "link": "/d/errors/?range=15m", "told_at": now,
        "resolved_at": now if state == "resolved" else None,
    }  # fmt: skip
    return Alert.objects.create(subject=subject, team=team, state=state, **known | values)


def page(role: str, **query: str) -> Any:
    return client_of(role).get(reverse("d:alerts"), query)


@pytest.mark.parametrize(
    ("role", "status", "sees"),
    [
        ("anonymous", 302, ()),
        ("stranger", 403, ()),
        ("disabled", 302, ()),
        ("member", 200, ("of-alpha",)),
        ("other", 200, ("of-beta",)),
        ("ops", 200, ("of-alpha", "of-beta", "of-none")),
        ("admin", 200, ("of-alpha", "of-beta", "of-none")),
    ],
)
def test_a_team_sees_its_own_alerts(role: str, status: int, sees: tuple[str, ...]) -> None:
    for name, team in (("of-alpha", "alpha"), ("of-beta", "beta"), ("of-none", "")):
        opened(name, team)
        opened(name, team, "resolved")
    answer = page(role)
    assert answer.status_code == status
    text = answer.content.decode()
    assert {name for name in ("of-alpha", "of-beta", "of-none") if name in text} == set(sees)
    assert ("What is watched" in text) == ("of-none" in sees)


def test_what_waits_for_its_window_is_not_shown_and_names_are_no_markup() -> None:
    opened("early", state="pending")
    opened(HOSTILE)
    text = page("admin").content.decode()
    assert "early" not in text
    assert HOSTILE not in text
    assert "&lt;script&gt;" in text
    assert "14.3 %" in text or "14.2 %" in text


def test_the_list_is_narrowed_and_goes_on() -> None:
    for number in range(60):
        opened(f"old-{number:02}.", state="resolved")
    opened("urgent", severity="critical")
    first = page("admin")
    text = first.content.decode()
    assert "old-59." in text
    assert "old-09." not in text
    older = first.context["older"]
    assert "old-09." in client_of("admin").get(reverse("d:alerts") + older).content.decode()
    narrowed = page("admin", severity="critical").content.decode()
    assert "urgent" in narrowed
    assert "old-59." not in narrowed
    assert "urgent" not in page("admin", rule="another").content.decode()


def test_somebody_is_at_it() -> None:
    alert = opened("of-alpha", "alpha")
    address = reverse("d:acknowledge_alert", args=[alert.pk])
    assert client_of("other").post(address, {"note": "mine"}).status_code == 404
    assert client_of("member").get(address).status_code == 405
    answer = client_of("member").post(address, {"note": f"mine {HOSTILE}"})
    assert answer.status_code == 302
    alert.refresh_from_db()
    assert (alert.acknowledged_by, alert.acknowledgement) == ("member", f"mine {HOSTILE}")
    assert HOSTILE not in page("admin").content.decode()
    assert AuditEvent.objects.filter(target__startswith="d:acknowledge_alert", actor_name="member").exists()


def test_a_rule_is_muted_by_those_who_may_change_it() -> None:
    rule = AlertRule.objects.get(name="breaker-open")
    address = reverse("d:mute_rule", args=[rule.pk])
    assert client_of("lead").post(address, {"for": "24h"}).status_code == 403
    assert client_of("ops").post(address, {"for": "24h"}).status_code == 302
    rule.refresh_from_db()
    assert rule.muted_until is not None
    assert datetime.timedelta(hours=23) < rule.muted_until - timezone.now() <= datetime.timedelta(hours=24)
    assert "End the mute" in page("ops").content.decode()
    client_of("ops").post(address)
    rule.refresh_from_db()
    assert rule.muted_until is None


def superuser() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def channel_form(**values: Any) -> dict[str, Any]:
    known = {
        "name": "ops", "way": "slack", "enabled": "on", "minimum_severity": "info", "kinds": "", "teams": "",
        "smtp_port": "587", "smtp_security": "starttls", "recipients": "", "address": ADDRESS, "secret": "",
    }  # fmt: skip
    return known | values


class TestChannelForm:
    def test_the_address_is_kept_and_not_shown(self) -> None:
        client = superuser()
        assert client.post(reverse("admin:gateway_alertchannel_add"), channel_form()).status_code == 302
        channel = AlertChannel.objects.get()
        assert unseal(bytes(channel.address_ciphertext)) == ADDRESS
        change = reverse("admin:gateway_alertchannel_change", args=[channel.pk])
        for shown in (change, reverse("admin:gateway_alertchannel_changelist")):
            text = client.get(shown).content.decode()
            assert "the-key-of" not in text
            assert "https://hooks.slack.example/…hook" in text
        assert client.post(change, channel_form(address="", note="x")).status_code == 302
        channel.refresh_from_db()
        assert (unseal(bytes(channel.address_ciphertext)), channel.note) == (ADDRESS, "x")
        assert "the-key-of" not in "".join(ConfigurationRevision.objects.values_list("difference", flat=True))

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"address": ""}, "A webhook needs its address."),
            ({"address": "ftp://x"}, "An address is needed"),
            ({"way": "mail", "address": ""}, "Mail needs an SMTP host"),
            ({"kinds": "alert\nluck"}, "luck: each is one of"),
        ],
    )
    def test_what_is_no_channel_is_refused(self, values: dict[str, str], words: str) -> None:
        answer = superuser().post(reverse("admin:gateway_alertchannel_add"), channel_form(**values))
        assert words in answer.content.decode()
        assert not AlertChannel.objects.exists()

    def test_its_test_says_what_came_of_it(self) -> None:
        client = superuser()
        client.post(reverse("admin:gateway_alertchannel_add"), channel_form(address="http://10.0.0.7/hook"))
        address = reverse("admin:gateway_alertchannel_test", args=[AlertChannel.objects.get().pk])
        assert "Send a test message" in client.get(address).content.decode()
        text = client.post(address, follow=True).content.decode()
        assert "ops: not delivered: " in text
        assert "private address 10.0.0.7" in text
        assert client_of("lead").get(address).status_code in (302, 403)


class TestRulePages:
    def test_every_shipped_rule_says_what_it_sees(self) -> None:
        client = superuser()
        AlertChannel.objects.create(name="night", way="webhook", minimum_severity="critical")
        for rule in AlertRule.objects.all():
            text = client.get(reverse("admin:gateway_alertrule_test", args=[rule.pk])).content.decode()
            assert "What it says now" in text
            assert "cannot be looked at" not in text
            assert ("night" in text) == (rule.severity == "critical")
            assert client.get(reverse("admin:gateway_alertrule_change", args=[rule.pk])).status_code == 200
        assert client.get(reverse("admin:gateway_alertrule_changelist")).status_code == 200

    def test_a_rule_is_saved_as_a_version(self) -> None:
        client = superuser()
        rule = AlertRule.objects.get(name="errors-over-5-percent")
        form = {
            "name": rule.name, "severity": "critical", "enabled": "on", "note": "", "metric": rule.metric,
            "operator": ">", "threshold": "7.5", "window": "300", "per": "provider", "minimum": "20", "cooldown": "900",
            "providers": "anthropic", "models": "", "teams": "", "channels": "",
            "muted_until_0": "", "muted_until_1": "",
        }  # fmt: skip
        answer = client.post(reverse("admin:gateway_alertrule_change", args=[rule.pk]), form)
        assert answer.status_code == 302, answer.content.decode()
        rule.refresh_from_db()
        assert (rule.threshold, rule.providers) == (7.5, ["anthropic"])
        assert "threshold: 7.5" in ConfigurationRevision.objects.first().difference  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        ("action", "hours"), [("mute_hour", 1), ("mute_day", 24), ("mute_week", 168), ("unmute", 0)]
    )
    def test_rules_are_muted_from_the_list(self, action: str, hours: int) -> None:
        rule = AlertRule.objects.get(name="breaker-open")
        form = {"action": action, "_selected_action": [rule.pk]}
        superuser().post(reverse("admin:gateway_alertrule_changelist"), form)
        rule.refresh_from_db()
        assert (rule.muted_until is None) == (not hours)
        if rule.muted_until is not None:
            assert round((rule.muted_until - timezone.now()).total_seconds() / 3600) == hours


def test_what_was_told_is_listed_and_tried_again() -> None:
    AlertChannel.objects.create(name="ops", way="webhook")
    announce("budget", "warning", f"Budget {HOSTILE}", "x", dedup_key="k", team="alpha")
    Delivery.objects.update(state="failed", attempts=8, problem="it answered 500", tried_at=timezone.now())
    client = superuser()
    for name in ("announcement", "delivery"):
        text = client.get(reverse(f"admin:gateway_{name}_changelist")).content.decode()
        assert "Budget &lt;script&gt;" in text
        assert HOSTILE not in text
    assert "Not delivered in the last day: 1 messages" in page("admin").content.decode()
    form = {"action": "try_again", "_selected_action": [Delivery.objects.get().pk]}
    client.post(reverse("admin:gateway_delivery_changelist"), form)
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts) == ("waiting", 0)
