"""docs/configuration.md: every example on it applies, together and apart, and every field stands on it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from gateway.configuration import columns
from gateway.configuration.applying import apply_document
from gateway.configuration.building import build_snapshot
from gateway.configuration.document import read_document

PAGE = Path(__file__).resolve().parents[1] / "docs/configuration.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.S)
NAMES = (
    "ANTHROPIC_API_KEY", "CI_TURNLOG_KEY", "MIRROR_KEY_ONE", "MIRROR_KEY_TWO", "PROXY_PASSWORD", "OPS_WEBHOOK_SECRET",
)  # fmt: skip
ENVIRON = {name: f"value-of-{name.lower()}" for name in NAMES} | {
    "SLACK_WEBHOOK": "https://hooks.slack.example/services/T0/B0/key"
}
BASE = "teams: [{name: search}]"


@pytest.fixture(autouse=True)
def ada(request: pytest.FixtureRequest) -> None:
    if "django_db" in request.keywords:
        User.objects.create_user("ada")


@pytest.mark.django_db
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split(":")[0] + str(len(text)))
def test_an_example_applies_and_makes_a_snapshot(example: str) -> None:
    apply_document(read_document(BASE), ENVIRON)
    assert apply_document(read_document(example), ENVIRON).changes
    assert build_snapshot({}).providers
    assert not apply_document(read_document(example), ENVIRON).changes


@pytest.mark.django_db
def test_an_environment_is_laid_over_the_rest() -> None:
    example = next(text for text in EXAMPLES if "environments:" in text)
    apply_document(read_document(example, "staging"), ENVIRON)
    anthropic = build_snapshot({}).providers["anthropic"]
    assert (anthropic.address, anthropic.keyless, anthropic.credentials) == ("https://mirror.example", True, ())
    with pytest.raises(ValueError, match="no environment 'moon'"):
        read_document(example, "moon")


def test_every_field_stands_on_the_page() -> None:
    text = PAGE.read_text()
    named = (
        *columns.PROVIDER, *columns.CREDENTIAL, *columns.PROXY, *columns.ROUTE, *columns.TARGET, *columns.API_KEY,
        *columns.SETTINGS, *columns.LIMIT, *columns.BUDGET, *columns.CACHE_RULE, *columns.HEADER_RULE,
        *columns.ALERT_RULE, *columns.ALERT_CHANNEL, *columns.GRADING,
        *columns.CAPTURE_POLICY, *columns.CONTENT_RULE, *columns.REDACTION,
    )  # fmt: skip
    assert [name for name in named if not re.search(rf"\b{name}\b", text)] == []
