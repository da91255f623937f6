"""The admin of header rules: what it refuses, the dry run before live, shadow, and the way back."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from gateway.configuration.building import build_snapshot
from gateway.models import ConfigurationRevision, HeaderRule, HeaderRuleDryRun
from gateway.recording.records import HeaderChange, RulesApplied, RulesOfDirection
from tests.exchanges import Sample, keep_one

pytestmark = pytest.mark.django_db

LIST = "/admin/gateway/headerrule/"
FORM = {
    "name": "team", "direction": "request", "position": "10", "header": "X-Team", "action": "set", "value": "search",
    "enabled": "on", "find": "", "note": "", "providers": "", "teams": "", "keys": "", "models": "",
}  # fmt: skip


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root", password="x"))
    return client


def add(staff: Client, **changes: str) -> HeaderRule:
    answer = staff.post(f"{LIST}add/", FORM | changes)
    assert answer.status_code == 302, answer.content.decode()
    return HeaderRule.objects.get(name=changes.get("name", "team"))


def page(rule: HeaderRule) -> str:
    return f"{LIST}{rule.pk}/dry-run/"


def do(staff: Client, rule: HeaderRule, **form: Any) -> str:
    answer = staff.post(page(rule), form, follow=True)
    rule.refresh_from_db()
    return answer.content.decode()


REFUSED = {
    "a line break": ({"value": "a\r\nx-evil: 1"}, "line breaks"),
    "framing": ({"header": "Transfer-Encoding"}, "frames the message"),
    "the credential": ({"header": "authorization"}, "tick &#x27;danger&#x27;"),
    "a blank at the end": ({"value": "a "}, "without blanks"),
    "looking around": ({"action": "replace", "find": "(?=a)", "is_pattern": "on"}, "RE2 does not take it"),
}


@pytest.mark.parametrize(("changes", "words"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_rule_is_refused_at_its_field(staff: Client, changes: dict[str, str], words: str) -> None:
    answer = staff.post(f"{LIST}add/", FORM | changes)
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert not HeaderRule.objects.exists()


def test_a_new_rule_is_a_draft_and_leads_to_its_dry_run(staff: Client) -> None:
    answer = staff.post(f"{LIST}add/", FORM | {"state": "live"})
    rule = HeaderRule.objects.get()
    assert answer["location"] == page(rule)
    assert rule.state == "draft"
    assert "Not tried yet" in staff.get(page(rule)).content.decode()
    assert build_snapshot({}).header_rules is None


def test_live_comes_after_the_dry_run_and_not_before(staff: Client) -> None:
    keep_one(Sample({"model": "m"}, request_headers=[("x-team", "a")]))
    rule = add(staff)
    assert "no dry run" in do(staff, rule, do="live")
    assert rule.state == "draft"
    assert "Of 1 requests 1 change, 0 touch anthropic-*, 0 break" in do(staff, rule, do="dry-run", last="100")
    assert "team is live" in do(staff, rule, do="live")
    assert rule.state == "live"
    assert build_snapshot({}).header_rules is not None
    assert [row.note for row in ConfigurationRevision.objects.all()[:1]] == ["header rule team: live"]


def test_a_live_rule_that_is_changed_is_a_draft_again_and_says_so(staff: Client) -> None:
    rule = add(staff)
    do(staff, rule, do="dry-run", last="100")
    do(staff, rule, do="live")
    answer = staff.post(f"{LIST}{rule.pk}/change/", FORM | {"note": "why"}, follow=True)
    rule.refresh_from_db()
    assert rule.state == "live"
    answer = staff.post(f"{LIST}{rule.pk}/change/", FORM | {"value": "other"}, follow=True)
    rule.refresh_from_db()
    assert rule.state == "draft"
    assert "is a draft now" in answer.content.decode()
    assert "no dry run" in do(staff, rule, do="live")


def test_a_rule_goes_back_to_what_it_was_with_one_click(staff: Client) -> None:
    rule = add(staff)
    do(staff, rule, do="dry-run", last="100")
    do(staff, rule, do="live")
    live = ConfigurationRevision.objects.first()
    assert live is not None
    staff.post(f"{LIST}{rule.pk}/change/", FORM | {"value": "other"})
    shown = staff.get(page(rule)).content.decode()
    assert "What it was before" in shown
    assert "value: search" in shown
    assert "is what it was in version" in do(staff, rule, do="back", version=str(live.pk))
    assert (rule.value, rule.state) == ("search", "live")
    assert "Nothing was changed" in do(staff, rule, do="back", version="999999")


def test_a_copy_is_a_draft_of_its_own(staff: Client) -> None:
    rule = add(staff)
    staff.post(LIST, {"action": "copy_as_draft", "_selected_action": [str(rule.pk)]})
    copy = HeaderRule.objects.get(name="team-2")
    assert (copy.value, copy.state) == ("search", "draft")


def test_warnings_stand_on_the_page_and_hostile_values_are_text(staff: Client) -> None:
    keep_one(Sample({"model": "m"}, request_headers=[("anthropic-beta", "<script>alert(1)</script>")]))
    rule = add(staff, header="anthropic-beta", action="block", value="")
    shown = do(staff, rule, do="dry-run", last="1000")
    assert "travels with fields of the body" in shown
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert(1)" not in shown


def test_the_page_of_a_request_shows_what_rules_did(staff: Client) -> None:
    changed = HeaderChange(b"x-app", [b"cli"], [b"<b>vscode"])
    told = RulesApplied(RulesOfDirection([(1, "app")], [changed], [(2, "later")], [changed]), None)
    kept = keep_one(Sample({"model": "m"}, rules=told))
    shown = staff.get(f"/d/r/{kept}/?tab=headers").content.decode()
    assert "On the way to the provider" in shown
    assert "&lt;b&gt;vscode" in shown
    assert "In shadow, not applied" in shown


def test_only_those_who_may_change_rules_try_them(client: Client) -> None:
    rule = HeaderRule.objects.create(name="a", header="x-a", action="block")
    client.force_login(User.objects.create_user("ada", password="x", is_staff=True))
    assert client.get(page(rule)).status_code == 403
    assert client.post(page(rule), {"do": "dry-run", "last": "100"}).status_code == 403
    assert not HeaderRuleDryRun.objects.exists()


def test_a_dry_run_takes_the_numbers_the_page_offers(staff: Client) -> None:
    rule = add(staff)
    assert "Nothing was changed" in do(staff, rule, do="dry-run", last="10000000")
    assert "Nothing was changed" in do(staff, rule, do="burn")
    assert staff.get(f"{LIST}99999/dry-run/").status_code == 404
