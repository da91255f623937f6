"""The large configuration whose cost is measured is one that the gateway takes."""

from __future__ import annotations

import pytest

from bench.configured import KEY, KEY_VARIABLE, document
from gateway.configuration.applying import apply_document
from gateway.configuration.building import build_snapshot
from gateway.configuration.document import read_document
from gateway.configuration.sealing import access_key_pepper
from gateway.dialects.names import Dialect
from gateway.policy.keys import digest_key
from gateway.policy.routing import Question, find_route


@pytest.mark.django_db
def test_the_large_configuration_has_so_many_keys_and_routes() -> None:
    apply_document(read_document(document(6, 9)), {KEY_VARIABLE: KEY})
    snapshot = build_snapshot({})
    assert len(snapshot.callers) == 6
    assert (len(snapshot.exact_routes), len(snapshot.pattern_routes)) == (2, 3)
    assert len(snapshot.conditional_routes) == 4
    caller = snapshot.callers[digest_key(access_key_pepper(), KEY.encode())]
    assert caller.name == "bench"
    found = find_route(snapshot, Question(Dialect.ANTHROPIC, "bench-json", caller))
    assert found is snapshot.pattern_routes[-1], "the last one that is looked at"
