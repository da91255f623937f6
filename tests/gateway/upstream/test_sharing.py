"""News through a real Redis: what arrives, what is kept for those who come later, and for how long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from gateway.policy.breaker import BreakerState, Transition
from gateway.upstream.fleet import BreakerMoved, CredentialLimited, CredentialRejected, News
from gateway.upstream.sharing import KEPT, Sharing
from tests.e2e.processes import until

NOW = float(int(time.time()))
OPENED = BreakerMoved("a", "m", Transition(NOW, BreakerState.OPEN, BreakerState.OPEN, "5 failures"))
LIMITED = CredentialLimited("a", "one", NOW + 36_000)
REJECTED = CredentialRejected("a", "two", 401)


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
        yield client


@pytest.fixture
def sender(redis_url: str, client: Any) -> Iterator[Sharing]:
    sharing = Sharing(redis_url, "host:1")
    sharing.start(lambda news: pytest.fail("it heard itself"))
    yield sharing
    sharing.stop()


def test_news_arrive_once_and_not_at_their_sender(redis_url: str, client: Any, sender: Sharing) -> None:
    heard: list[News] = []
    other = Sharing(redis_url, "host:2")
    other.start(heard.append)
    try:
        until(lambda: client.pubsub_numsub("turnlog:fleet")[0][1] == 2, what="both listening")
        for news in (OPENED, LIMITED, REJECTED):
            sender.send(news)
        until(lambda: len(heard) >= 3, what="the news")
        assert heard == [OPENED, LIMITED, REJECTED]
    finally:
        other.stop()


def test_news_are_kept_as_long_as_they_mean_something(redis_url: str, client: Any, sender: Sharing) -> None:
    for news in (OPENED, REJECTED, LIMITED):
        sender.send(news)
    until(lambda: client.exists(f"{KEPT}limited:a:one"), what="the last of the news")
    assert client.ttl(f"{KEPT}limited:a:one") == pytest.approx(LIMITED.until - time.time(), abs=20)
    # As long as a breaker may be open. A rejection is a row: whoever starts reads it, and a person may undo it.
    assert client.ttl(f"{KEPT}breaker:a:m") > 600
    assert not client.exists(f"{KEPT}rejected:a:two")
    heard: list[News] = []
    later = Sharing(redis_url, "host:3")
    later.start(heard.append)
    try:
        until(lambda: len(heard) >= 2, what="what was kept")
        assert sorted(heard, key=repr) == [OPENED, LIMITED]
    finally:
        later.stop()
