"""News of the providers between processes, through Redis: published, and kept as long as they mean something.

Each direction has a thread of its own. Redis gone or stalled is noticed by time-outs of a second in those threads and
by nobody else; what could not be sent is dropped, and every process then knows what it finds out by itself.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import redis

from gateway.policy.breaker import BreakerState, Transition
from gateway.upstream.fleet import BreakerMoved, CredentialLimited, CredentialRejected, News

log = logging.getLogger(__name__)

CHANNEL = "turnlog:fleet"
KEPT = "turnlog:fleet:kept:"
BREAKER_SECONDS = 3600
WAITING = 1000
REDIS_SECONDS = 1.0


class Message(msgspec.Struct):
    process: str
    kind: str
    provider: str
    name: str
    """A model, or a credential."""
    at: float
    """When it was; until when a credential rests."""
    state: str = ""
    reason: str = ""


class Sharing:
    def __init__(self, url: str, process: str) -> None:
        self._url = url
        self._process = process
        self._outgoing: queue.Queue[Message | None] = queue.Queue(WAITING)
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, adopt: Callable[[News], object]) -> None:
        """`adopt` is called from a thread with what another process found out."""
        for target, arguments in ((self._send_all, ()), (self._receive_all, (adopt,))):
            thread = threading.Thread(target=target, args=arguments, name="fleet-sharing", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        self._stopping.set()
        self.send(None)
        for thread in self._threads:
            thread.join(timeout=2 * REDIS_SECONDS)

    def send(self, news: News | None) -> None:
        """Does not wait."""
        try:
            self._outgoing.put_nowait(None if news is None else message_of(self._process, news))
        except queue.Full:
            log.warning("news for the other processes are dropped: Redis takes none")

    def _connect(self) -> Any:
        return redis.Redis.from_url(self._url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS)

    def _send_all(self) -> None:
        client = self._connect()
        while (message := self._outgoing.get()) is not None and not self._stopping.is_set():
            data = msgspec.json.encode(message)
            try:
                if seconds := kept_seconds(message):
                    client.set(f"{KEPT}{message.kind}:{message.provider}:{message.name}", data, ex=seconds)
                client.publish(CHANNEL, data)
            except redis.RedisError as error:
                log.warning("news for the other processes were not sent: %s", error)

    def _receive_all(self, adopt: Callable[[News], object]) -> None:
        while not self._stopping.is_set():
            try:
                self._listen(adopt)
            except redis.RedisError as error:
                log.debug("Redis: %s", error)
                self._stopping.wait(REDIS_SECONDS)

    def _listen(self, adopt: Callable[[News], object]) -> None:
        client = self._connect()
        with client.pubsub(ignore_subscribe_messages=True) as subscription:
            subscription.subscribe(CHANNEL)
            for key in client.scan_iter(match=f"{KEPT}*", count=100):
                self._take(client.get(key), adopt)
            while not self._stopping.is_set():
                message = subscription.get_message(timeout=REDIS_SECONDS / 2)
                if message is not None:
                    self._take(message["data"], adopt)

    def _take(self, data: bytes | None, adopt: Callable[[News], object]) -> None:
        try:
            message = msgspec.json.decode(data or b"", type=Message)
            news = None if message.process == self._process else news_of(message)
        except (ValueError, msgspec.ValidationError):
            return
        if news is not None and not self._stopping.is_set():
            adopt(news)


def message_of(process: str, news: News) -> Message:
    if isinstance(news, BreakerMoved):
        moved = news.transition
        return Message(process, "breaker", news.provider, news.model, moved.at, moved.after.value, moved.reason)
    if isinstance(news, CredentialLimited):
        return Message(process, "limited", news.provider, news.credential, news.until)
    return Message(process, "rejected", news.provider, news.credential, time.time(), str(news.status))


def kept_seconds(message: Message) -> int:
    """For whoever starts later. A rejection is not kept: it is a row as well, and a person may undo it."""
    if message.kind == "breaker":
        return BREAKER_SECONDS
    return max(0, int(message.at - time.time())) if message.kind == "limited" else 0


def news_of(message: Message) -> News | None:
    if message.kind == "breaker":
        after = BreakerState(message.state)
        return BreakerMoved(message.provider, message.name, Transition(message.at, after, after, message.reason))
    if message.kind == "limited":
        return CredentialLimited(message.provider, message.name, message.at)
    if message.kind == "rejected":
        return CredentialRejected(message.provider, message.name, int(message.state or 401))
    return None
