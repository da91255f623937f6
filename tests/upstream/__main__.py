"""Run the fake provider as a process of its own: `python -m tests.upstream --port 0 --log FILE.jsonl`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from tests.upstream.provider import FakeProvider
from tests.upstream.scenarios import SCENARIOS


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.upstream",
        description="A fake model provider on loopback for both dialects.",
        epilog="Scenarios (header x-scenario, or POST /_control): " + ", ".join(sorted(SCENARIOS)),
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--log", type=Path, help="one JSON line is added for each exchange")
    parser.add_argument("--name", default="fake", help="stands in each line of the log")
    parser.add_argument("--scenario", default="text", help="what a request gets that asks for none")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(options))


async def serve(options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with FakeProvider(options.port, options.log, options.name, keep=50) as provider:
        provider.default_scenario = options.scenario
        sys.stdout.write(f"listening on {provider.url}\n")
        sys.stdout.flush()
        await stopped.wait()


if __name__ == "__main__":
    main()
