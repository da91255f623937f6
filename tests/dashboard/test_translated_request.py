"""A request whose answer was translated: its page says so, and has the two sides that were not recorded."""

from __future__ import annotations

import json
import uuid

import pytest
from django.test import Client

from gateway.dialects.names import Dialect
from gateway.dialects.turn import Loss
from gateway.models import RequestLog
from gateway.recording.records import Translated
from tests.exchanges import Sample, keep_one
from tests.gateway.dialects.streams import chunks

pytestmark = pytest.mark.django_db

LIST = "/d/r/"
LOSS = Loss("context_management", "Chat Completions does not know it; it was left out")
REQUEST = {
    "model": "qwen3",
    "max_tokens": 64,
    "stream": True,
    "messages": [{"role": "user", "content": "Hi"}],
    "context_management": {"edits": []},
}
ANSWER = chunks(
    {"id": "c", "model": "qwen3", "choices": [{"index": 0, "delta": {"content": "Sunny ☀"}}]},
    {"id": "c", "model": "qwen3", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"id": "c", "choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": 3}},
)


@pytest.fixture
def translated() -> uuid.UUID:
    how = Translated(Dialect.CHAT, "vllm", [LOSS])
    return keep_one(Sample(REQUEST, [ANSWER], translated=how))


def test_the_answer_is_read_in_its_own_dialect(admin: Client, translated: uuid.UUID) -> None:
    row = RequestLog.objects.select_related("response").get(id=translated)
    assert (row.dialect, row.model, row.response.stop_reason) == ("anthropic", "qwen3", "stop")
    assert (row.response.input_tokens, row.response.output_tokens) == (20, 3)
    page = admin.get(f"{LIST}{translated}/").content.decode()
    assert "Sunny ☀" in page
    assert "anthropic → chat · profile vllm" in page


def test_what_was_lost_is_on_the_page(admin: Client, translated: uuid.UUID) -> None:
    page = admin.get(f"{LIST}{translated}/").content.decode()
    assert LOSS.field in page
    assert LOSS.reason in page


def test_the_two_sides_that_were_not_recorded_can_be_downloaded(admin: Client, translated: uuid.UUID) -> None:
    asked = json.loads(admin.get(f"{LIST}{translated}/raw/asked/").content)
    assert (asked["model"], asked["messages"]) == ("qwen3", [{"role": "user", "content": "Hi"}])
    got = admin.get(f"{LIST}{translated}/raw/got/").content.decode()
    assert got.startswith("event: message_start\n")
    assert "msg_c" in got
    assert "Sunny ☀" in got


def test_a_relayed_request_has_no_other_sides(admin: Client) -> None:
    relayed = keep_one(Sample(REQUEST))
    assert "Translated <small>" not in admin.get(f"{LIST}{relayed}/").content.decode()
    assert admin.get(f"{LIST}{relayed}/raw/got/").status_code == 404
