"""Sends an exchange's bytes once more through the running gateway, as nobody's usage.

It joins what the history says of an exchange with a sealed errand and the gateway's own address; the commands and the
pages both go through here.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from gateway.configuration.sealing import pepper
from gateway.history.replay import Replay
from gateway.policy.errands import REPLAY, Errand, seal_errand
from gateway.upstream.client import httpx
from gateway.upstream.own_listener import own_address, own_tls

log = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 10.0
SILENT_SECONDS: Final = 600.0
LONGEST_SECONDS: Final = 1_800.0
MOST_AT_ONCE: Final = 4
"""Of this process, behind pages."""
_free = threading.BoundedSemaphore(MOST_AT_ONCE)


class Unreachable(Exception):
    """The gateway did not answer; says why."""


class Busy(Exception):
    """As many are under way as may be."""


class Begun(NamedTuple):
    """`id` is that of the new exchange, None when the gateway named none."""

    status: int
    id: uuid.UUID | None


@contextmanager
def replayed(
    plan: Replay,
    exchange_id: uuid.UUID,
    *,
    provider: str,
    url: str,
    credential: Sequence[tuple[bytes, bytes]] = (),
    silent_seconds: float | None = None,
) -> Iterator[httpx.Response]:
    """The answer, its body still to be read, raw. `provider` by its name; `url` is the gateway's, without a path.
    Raises Unreachable, also while the body is read."""
    errand = seal_errand(Errand(REPLAY, provider=provider, replay_of=exchange_id.hex), pepper("errands"), time.time())
    address = url.rstrip("/") + plan.target
    # A request made by hand: the client would add headers of its own.
    headers = [*plan.headers, *credential, (b"x-turnlog-key", errand.encode())]
    timeout = httpx.Timeout(silent_seconds, connect=CONNECT_SECONDS)
    try:
        request = httpx.Request(plan.method, address, headers=headers, content=plan.body)
        with httpx.Client(timeout=timeout, trust_env=False, verify=own_tls()) as client:
            answer = client.send(request, stream=True)
            try:
                yield answer
            finally:
                answer.close()
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise Unreachable(f"{address}: {error}. Is the gateway running?") from error


def begin_replay(plan: Replay, exchange_id: uuid.UUID, wait_seconds: float) -> Begun | None:
    """To the provider it went to, in a thread that reads the answer to its end, so that nobody has to wait for it. None
    when the answer has not begun within `wait_seconds`: it goes on all the same. Raises Unreachable and Busy."""
    if not _free.acquire(blocking=False):
        raise Busy(f"{MOST_AT_ONCE} replays are under way; wait for one of them")
    told: queue.SimpleQueue[Begun | Unreachable] = queue.SimpleQueue()

    def run() -> None:
        try:
            read_whole(plan, exchange_id, told)
        except Unreachable as problem:
            told.put(problem)
        except Exception as problem:
            log.exception("a replay of %s failed", exchange_id)
            told.put(Unreachable(f"it could not be sent: {type(problem).__name__}; the log says more"))
        finally:
            _free.release()

    threading.Thread(target=run, name="replay", daemon=True).start()
    try:
        found = told.get(timeout=wait_seconds)
    except queue.Empty:
        return None
    if isinstance(found, Unreachable):
        raise found
    return found


def read_whole(plan: Replay, exchange_id: uuid.UUID, told: queue.SimpleQueue[Begun | Unreachable]) -> None:
    """A caller that left would end the exchange."""
    deadline = time.monotonic() + LONGEST_SECONDS
    with replayed(
        plan, exchange_id, provider=plan.provider, url=own_address(), silent_seconds=SILENT_SECONDS
    ) as answer:
        told.put(Begun(answer.status_code, replay_id(answer)))
        for _ in answer.iter_raw():
            if time.monotonic() > deadline:
                return


def replay_id(answer: httpx.Response) -> uuid.UUID | None:
    try:
        return uuid.UUID(answer.headers.get("x-turnlog-request-id", ""))
    except ValueError:
        return None
