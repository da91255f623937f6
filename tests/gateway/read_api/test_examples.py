"""The examples of the guide, sent as they stand there."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from gateway.history.rollups import roll_up_all
from gateway.history.search.index import index_batch
from gateway.models import RequestLog
from gateway.read_api.routes import api
from tests.e2e.processes import ROOT
from tests.exchanges import Sample, keep
from tests.gateway.read_api.callers import calling

GUIDE = (ROOT / "docs" / "read-api.md").read_text()
EXAMPLES = re.findall(r"^(GET|POST|PUT|DELETE) (/api/v1/\S*?(?:\"[^\"]*\")?)(?: ({.*}))?$", GUIDE, re.MULTILINE)
TOLD = re.findall(r"`(GET|POST|PUT|DELETE) (/[\w/{}-]+)`|, `(/stats/\w+)`", GUIDE.partition("**Pages.**")[0])


def test_the_guide_has_every_route_and_an_example_of_each() -> None:
    document = api.get_openapi_schema()["paths"]
    routes = {
        (method.upper(), path.removeprefix("/api/v1")) for path, methods in document.items() for method in methods
    }
    named = {re.sub(r"{\w+}", "{}", path) for _, path in routes}
    told = {re.sub(r"{\w+}", "{}", path or further) for _, path, further in TOLD}
    assert told == named
    sent = {(method, address.partition("?")[0].removeprefix("/api/v1")) for method, address, _ in EXAMPLES}
    placed = {(method, path.replace("ID", "{}").replace("SESSION", "{}")) for method, path in sent}
    assert placed == {(method, re.sub(r"{\w+}", "{}", path)) for method, path in routes}


@pytest.mark.django_db(transaction=True)
def test_every_example_is_answered() -> None:
    at = datetime.now(UTC) - timedelta(hours=1)
    said = {"model": "claude-opus-5-5", "messages": [{"role": "user", "content": "hello there"}]}
    session = "00000000-0000-4000-8000-000000000001"
    headers = [("x-claude-code-session-id", session)]
    (found,) = keep([Sample(said, team="alpha", at=at, request_headers=headers)])
    roll_up_all()
    while index_batch():
        pass
    for method, address, body in EXAMPLES:
        asker = "key of alpha" if method == "POST" else "admin"
        client, sent = calling(asker)
        sought = address.replace("ID", str(found)).replace("SESSION", session)
        told = body.replace("ID", str(found)) or None
        answer = client.generic(method, sought, told or "", content_type="application/json", headers=sent)
        assert answer.status_code == 200, (method, sought, answer.content)
    assert not RequestLog.objects.exists(), "the last one erased it"
