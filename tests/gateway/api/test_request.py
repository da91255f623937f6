"""A request to the gateway and what hangs on it, when it is over."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from gateway.api.request import GatewayRequest, Receive
from gateway.api.streaming import ExchangeStream
from tests.gateway.recording.recording import admission, make_recorder, new_id

SCOPE: dict[str, Any] = {"method": "POST", "path": "/v1/messages", "headers": [], "raw_path": b"/", "query_string": b""}


async def nothing() -> Any: ...


def test_a_request_that_is_over_goes_without_the_garbage_collector(tmp_path: Path) -> None:
    """What it holds (bodies, headers, the task) would stay until the collector comes by."""
    runtime: Any = SimpleNamespace(streams=set(), cutting=False, live=SimpleNamespace(watched=False))
    request = GatewayRequest(SCOPE, cast(Receive, nothing), runtime)
    exchange = make_recorder(tmp_path).admit(new_id(), admission())
    stream = request.stream = ExchangeStream(request, exchange)
    closed: list[str] = []
    stream.on_close = lambda: closed.append("closed")
    gone = weakref.ref(request)
    gc.disable()
    try:
        request.close()
        request.close()
        assert closed == ["closed"]
        del request, stream
        assert gone() is None
    finally:
        gc.enable()


def test_of_a_header_sent_twice_the_first_one_counts() -> None:
    runtime: Any = SimpleNamespace()
    pairs = [(b"x-a", b"1"), (b"x-b", b"2"), (b"x-a", b"3")]
    request = GatewayRequest(SCOPE | {"headers": pairs}, cast(Receive, nothing), runtime)
    assert [request.header(name) for name in (b"x-a", b"x-b", b"x-c")] == [b"1", b"2", None]
