"""An OTLP endpoint on loopback: the environment names it, so that its address need not be a public one."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gateway.models import WaitingTrace
from tests.exchanges import Sample, keep_one
from tests.gateway.announcing.receiver import Receiver, receiving


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    with receiving() as found:
        settings.TURNLOG = dataclasses.replace(
            settings.TURNLOG,
            otlp_endpoint=f"http://127.0.0.1:{found.port}/v1/traces",
            otlp_headers=(("authorization", "Basic abc="),),
            otlp_service_name="gateway-of-the-tests",
        )
        yield found


@pytest.fixture
def put_down(db: None) -> Callable[..., uuid.UUID]:
    """Keep an exchange in the history, and put it down for sending."""

    def put(sample: Sample | None = None) -> uuid.UUID:
        kept = keep_one(sample or Sample({"model": "claude-opus-5-5", "messages": []}))
        WaitingTrace.objects.create(request_id=kept)
        return kept

    return put
