"""The Python examples. Those that need curl or Node are run by `make examples`."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import provider, provider_thread, session_database_url, upstreams, web
from tests.e2e.processes import WebProcess
from tests.examples.running import examples, run_example
from tests.upstream import FakeProvider

__all__ = ["provider", "provider_thread", "session_database_url", "upstreams", "web"]


def test_there_is_one_of_each_kind_for_each_client() -> None:
    kinds = [f"{folder}/{kind}{suffix}" for folder, suffix in CLIENTS.items() for kind in ("stream", "text", "tools")]
    assert examples(".py", ".sh", ".mjs") == sorted(kinds)


CLIENTS = {"curl": ".sh", "node": ".mjs", "python": ".py"}


@pytest.mark.parametrize("name", examples(".py"))
def test_the_example_does_what_it_says(name: str, web: WebProcess, provider: FakeProvider) -> None:
    assert run_example(name, web, provider) is None
