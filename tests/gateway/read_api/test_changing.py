"""What the API changes: rules on headers, and what is erased; each with its trail."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from dashboard.models import AuditEvent
from gateway.models import ConfigurationRevision, ErasureCertificate, HeaderRule, RequestLog
from tests.dashboard.people import client_of
from tests.exchanges import Sample, keep

BLOCK = {"header": "X-Trace", "action": "block", "value": "", "find": "", "enabled": True}
SET = {"header": "x-team", "action": "set", "value": "blue", "find": "", "enabled": False}


def put(client: Client, requests: list[Any], responses: list[Any], status: int = 200, **headers: str) -> Any:
    rules = {"requestHeaderRules": requests, "responseHeaderRules": responses}
    answer = client.put("/api/v1/settings", rules, content_type="application/json", headers=headers)
    assert answer.status_code == status, answer.content
    return answer.json()


@pytest.mark.django_db
def test_rules_are_replaced_as_one_version_and_go_live_after_a_dry_run() -> None:
    admin = client_of("admin")
    narrowed = HeaderRule.objects.create(name="of-blue", header="x-a", action="block", teams=["blue"])
    told = put(admin, [BLOCK, SET], [])
    assert (
        told == {"requestHeaderRules": [BLOCK, SET], "responseHeaderRules": []} == admin.get("/api/v1/settings").json()
    )
    live = HeaderRule.objects.get(header="X-Trace")
    assert (live.state, live.dry_run is not None) == ("live", True)
    assert HeaderRule.objects.get(header="x-team").state == "draft"
    put(admin, [SET, BLOCK], [BLOCK])
    assert HeaderRule.objects.get(pk=live.pk).position > HeaderRule.objects.get(header="x-team").position
    put(admin, [], [])
    assert list(HeaderRule.objects.all()) == [narrowed], "rules that are for some are neither told nor touched"
    revision = ConfigurationRevision.objects.first()
    assert revision is not None
    assert (revision.author_name, revision.note) == ("admin", "by the API")
    assert AuditEvent.objects.filter(actor_name="admin", target__startswith="configuration").exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "rule",
    [
        BLOCK | {"header": "content-length"},
        BLOCK | {"action": "replace", "find": ""},
        SET | {"header": "authorization", "enabled": True},
    ],
    ids=["framing", "empty find", "credential"],
)
def test_a_rule_that_cannot_be_changes_nothing(rule: dict[str, Any]) -> None:
    told = put(client_of("admin"), [BLOCK, rule], [], 400)
    assert rule["header"] in told["error"]
    assert not HeaderRule.objects.exists()


@pytest.mark.django_db
def test_another_sites_page_can_change_nothing() -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client_of("admin").cookies
    assert "CSRF" in put(strict, [], [], 403)["error"]
    assert strict.delete("/api/v1/requests?session=s&reason=r").status_code == 403


@pytest.mark.django_db(transaction=True)
def test_an_erasure_is_certified_and_written_down() -> None:
    session = [("x-claude-code-session-id", "gone")]
    body = {"model": "m", "messages": []}
    keep([Sample(body, team="alpha", request_headers=session), Sample(body, team="alpha")])
    admin = client_of("admin")
    answer = admin.delete("/api/v1/requests?session=gone&reason=asked+for")
    assert answer.status_code == 200, answer.content
    certificate = ErasureCertificate.objects.get()
    assert answer.json() == {
        "message": "Erased for good.", "deleted": 1, "held": 0, "certificate": certificate.pk,
    }  # fmt: skip
    assert (certificate.asked_by, certificate.reason) == ("admin", "asked for")
    assert RequestLog.objects.get().session_id is None
    assert AuditEvent.objects.filter(actor_name="admin", details__contains="session gone").exists()
