"""The page of a request that the history does not hold: yet, or at all."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
import uuid_utils
from django.test import Client

from gateway.history.id_times import first_id_at
from tests.dashboard.people import client_of
from tests.exchanges import Sample, keep_one

pytestmark = pytest.mark.django_db

LIST = "/d/r/"
REQUEST = {"model": "claude-opus-5-5", "messages": []}


def test_what_may_be_under_way_is_looked_for_again(admin: Client) -> None:
    """An id of now is waited for; one of long ago, and one whose time cannot be, is not."""
    now, old = uuid.UUID(str(uuid_utils.uuid7())), first_id_at(datetime.now(UTC) - timedelta(days=2)).int
    of_long_ago = uuid.UUID(int=old | 7 << 76 | 8 << 60)
    for request_id, waits in (
        (now, True),
        (of_long_ago, False),
        (uuid.uuid4(), False),
        (uuid.UUID(int=2**128 - 1), False),
    ):
        answer = admin.get(f"{LIST}{request_id}/")
        assert answer.status_code == 404
        assert (f'data-there="{LIST}{request_id}/there/"' in answer.content.decode()) == waits, request_id
    assert admin.get(f"{LIST}{now}/there/").json() == {"there": False}


def test_what_is_looked_for_again_is_there_for_its_own_team_alone(admin: Client) -> None:
    request_id = keep_one(Sample(REQUEST, team="alpha"))
    assert admin.get(f"{LIST}{request_id}/there/").json() == {"there": True}
    assert client_of("other").get(f"{LIST}{request_id}/there/").json() == {"there": False}
    assert client_of("other").get(f"{LIST}{request_id}/").status_code == 404
