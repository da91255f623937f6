"""A response made again from the history, for a host that did not keep it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from gateway.dialects.names import Dialect, Outcome
from gateway.history.responses import find_response, find_withdrawn, withdraw_response
from gateway.history.retention import TOMBSTONE_DAYS, keep_terms
from gateway.recording.records import Translated
from tests.exchanges import Sample, keep, message_stream

pytestmark = pytest.mark.django_db

REQUEST = {"model": "gpt-5.5", "input": "hi", "stream": True, "previous_response_id": "resp_before"}


def kept(request: dict[str, Any] = REQUEST, **fields: Any) -> str:
    sample = Sample(
        request,
        message_stream("Hello from afar."),
        dialect=Dialect.RESPONSES,
        path="/v1/responses",
        access_key="ada",
        translated=Translated("anthropic", "default"),
        **fields,
    )
    (request_id,) = keep([sample])
    return f"resp_{request_id.hex}"


def test_it_is_what_the_caller_got() -> None:
    name = kept()
    found = find_response("ada", name)
    assert found is not None
    response = msgspec.json.decode(found.response)
    assert (response["id"], response["status"]) == (name, "completed")
    assert response["output"][0]["content"][0]["text"] == "Hello from afar."
    assert found.previous == "resp_before"
    assert [bytes(item) for item in found.input] == [b'{"type":"message","role":"user","content":"hi"}']


def test_only_the_key_that_made_it_finds_it() -> None:
    assert find_response("grace", kept()) is None


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (REQUEST | {"store": False}, {}),
        (REQUEST, {"outcome": Outcome.UPSTREAM_ABORTED}),
    ],
)
def test_what_was_not_to_be_stored_or_is_not_whole_is_not_found(
    request_: dict[str, Any], fields: dict[str, Any]
) -> None:
    assert find_response("ada", kept(request_, **fields)) is None


@pytest.mark.django_db(transaction=True)
def test_a_withdrawn_response_is_known_to_all_hosts() -> None:
    one, other = kept(), kept()
    assert withdraw_response(one)
    assert withdraw_response(one)
    assert find_withdrawn([one, other]) == {one}


@pytest.mark.django_db(transaction=True)
def test_a_withdrawal_goes_with_the_exchange() -> None:
    there, gone = kept(), "resp_0199aec9226d76648b37b513bfc919ad"
    for name in (there, gone):
        assert withdraw_response(name)
    list(keep_terms(datetime.now(UTC) + timedelta(days=TOMBSTONE_DAYS + 1)))
    assert find_withdrawn([there, gone]) == {there}


@pytest.mark.parametrize("name", ["resp_9aec9226d6664b37b513bfc919adef56", "resp_x", ""])
def test_what_is_not_there_is_not_found(name: str) -> None:
    assert find_response("ada", name) is None
