"""The API against its own document: whatever is sent, the answer is one that the document names.

TURNLOG_API_EXAMPLES=1000 looks longer.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import schemathesis
from django.conf import settings as django_settings
from hypothesis import HealthCheck, Phase, given, settings

from gateway.history.rollups import roll_up_all
from gateway.read_api.routes import api
from tests.dashboard.people import client_of
from tests.exchanges import Sample, keep
from tests.gateway.read_api.callers import key_of

EXAMPLES = int(os.environ.get("TURNLOG_API_EXAMPLES", "8"))
OPERATIONS = sorted(
    (path, method.upper()) for path, methods in api.get_openapi_schema()["paths"].items() for method in methods
)


@pytest.fixture
def history() -> None:
    session = [("x-claude-code-session-id", "session-alpha")]
    body = {"model": "m", "messages": [{"role": "user", "content": "hello there"}], "tools": [{"name": "Bash"}]}
    at = datetime.now(UTC) - timedelta(minutes=90)
    keep([Sample(body, team="alpha", at=at, request_headers=session) for _ in range(3)])
    roll_up_all()


def sent_by(caller: str) -> dict[str, str]:
    """The headers of a key of the team, or of an admin's page."""
    if caller == "key":
        return key_of("alpha", "a-key-0123456789-alpha")
    token, name = "t" * 32, django_settings.SESSION_COOKIE_NAME
    session = client_of("admin").cookies[name].value
    return {"Cookie": f"{name}={session}; {django_settings.CSRF_COOKIE_NAME}={token}", "X-CSRFToken": token}


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("caller", ["key", "admin"])
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_it_keeps_what_its_document_says(live_server: Any, path: str, method: str, caller: str) -> None:
    document = schemathesis.openapi.from_url(f"{live_server.url}/api/v1/openapi.json")
    operation = document[path][method]
    headers = sent_by(caller)
    # What it refuses with 400 no schema can say: a search for nothing, a prompt without words, a rule that cannot be.
    refuses = "400" in operation.definition.raw["responses"]
    passed_over = [schemathesis.checks.positive_data_acceptance] if refuses else []

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def keeps(case: Any) -> None:
        case.call_and_validate(headers=headers, excluded_checks=passed_over)

    keeps()
