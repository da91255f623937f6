"""`manage.py web` with faults armed, or with its loop watched: `python -m tests.faults.armed_web [--arm POINT]`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys

SLOW_SECONDS = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.armed_web", description=__doc__)
    parser.add_argument("--arm", action="append", default=[], help="a failpoint of gateway/recording/failpoints.py")
    parser.add_argument("--watch-loop", action="store_true", help="log callbacks of 50 ms (with PYTHONASYNCIODEBUG=1)")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxy_project.settings")

    from gateway.recording import failpoints

    failpoints.armed.update(options.arm)
    if options.watch_loop:
        watch()

    from proxy_project.command_line import execute

    sys.exit(execute(["manage.py", "web", "--port", "0"]))


def watch() -> None:
    """Loops made from now on report slow callbacks; asyncio says them at the level warning."""
    import uvloop

    made = uvloop.new_event_loop

    def watched() -> asyncio.AbstractEventLoop:
        loop = made()
        loop.slow_callback_duration = SLOW_SECONDS
        sys.stdout.write(f"watching the loop: debug {loop.get_debug()}\n")
        sys.stdout.flush()
        return loop

    uvloop.new_event_loop = watched
    logging.getLogger("asyncio").setLevel(logging.WARNING)


if __name__ == "__main__":
    main()
