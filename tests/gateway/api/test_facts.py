"""What is known of a request while it is decided where it goes."""

from __future__ import annotations

import time

import pytest

from gateway.api.facts import Facts
from gateway.policy.access import Admitted, read_credentials
from gateway.policy.snapshot import Caller


def test_a_key_is_watched_until_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = Facts(read_credentials([]), Admitted(Caller("watched", debug_until=1_000.0), own_passes=False))
    for now, watched in ((999.9, True), (1_000.0, False), (1_000.1, False)):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        assert facts.is_debugged is watched
    assert not Facts(read_credentials([]), Admitted(Caller("another"), own_passes=False)).is_debugged
    assert not Facts(read_credentials([])).is_debugged
