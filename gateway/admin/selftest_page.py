"""The self-test as a page: press the button, see what differs."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.configuration.sealing import pepper
from gateway.selftest.comparison import Result
from gateway.selftest.run import Unreachable, green, run_selftest
from gateway.upstream.own_listener import own_address


def selftest_context(*, run: bool) -> dict[str, Any]:
    """The template's context; with `run` the test is made, which takes some seconds."""
    context: dict[str, Any] = {"title": "Self-test", "ran": run, "results": [], "problem": ""}
    if not run:
        return context
    try:
        results = asyncio.run(collect(own_address()))
    except Unreachable as unreachable:
        return context | {"problem": str(unreachable)}
    return context | {"results": results, "green": green(results)}


async def collect(gateway: str) -> list[Result]:
    return [result async for result in run_selftest(gateway, pepper("errands"))]
