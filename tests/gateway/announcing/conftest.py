"""Receivers on loopback, which the environment allows by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from tests.gateway.announcing.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def loopback_allowed(settings: Any) -> None:
    settings.TURNLOG = dataclasses.replace(settings.TURNLOG, upstream_allow_hosts=("127.0.0.1",))
