"""Reaching a provider: names, refusals, and two families of addresses."""

from __future__ import annotations

import asyncio
import socket

import pytest

from gateway.policy.reach import Reach
from gateway.upstream import dialling
from gateway.upstream.dialling import Address, open_socket, taking_turns
from gateway.upstream.failures import Unreachable, connect_reason
from gateway.upstream.wire import WireTransport
from tests.gateway.upstream.asking import Asker, body_of
from tests.gateway.upstream.test_waiting import full_backlog, now, seconds_since
from tests.upstream import FakeProvider


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_refused_connection_says_so(transport: WireTransport) -> None:
    with pytest.raises(Unreachable) as caught:
        await Asker(transport, f"http://127.0.0.1:{free_port()}")()
    assert (caught.value.phase, caught.value.reason) == ("connect", "connection refused")


async def test_an_unknown_name_says_so(transport: WireTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look-up is answered here: a test must not ask a name server."""

    async def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(dialling, "resolve", unknown)
    with pytest.raises(Unreachable) as caught:
        await Asker(transport, "http://provider.invalid")()
    assert (caught.value.phase, caught.value.reason) == ("connect", "DNS: name not known")


async def test_a_name_is_looked_up(provider: FakeProvider, transport: WireTransport) -> None:
    await body_of(await Asker(transport, provider.url.replace("127.0.0.1", "localhost"))())
    assert provider.connection_count == 1


def use_addresses(monkeypatch: pytest.MonkeyPatch, addresses: list[Address]) -> None:
    async def found(host: str, port: int) -> list[Address]:
        return addresses

    monkeypatch.setattr(dialling, "resolve", found)


async def test_an_address_that_does_not_answer_costs_a_quarter_of_a_second(
    provider: FakeProvider, transport: WireTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with full_backlog() as silent:
        dead = (socket.AF_INET, ("127.0.0.1", silent))
        use_addresses(monkeypatch, [dead, (socket.AF_INET, ("127.0.0.1", provider.port))])
        started = now()
        await body_of(await Asker(transport, provider.url)())
        assert 0.2 < seconds_since(started) < 1
        assert [task for task in asyncio.all_tasks() if "connect_one" in repr(task)] == []


async def test_an_address_that_refuses_costs_nothing(
    provider: FakeProvider, transport: WireTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = (socket.AF_INET, ("127.0.0.1", free_port()))
    use_addresses(monkeypatch, [refusing, refusing, (socket.AF_INET, ("127.0.0.1", provider.port))])
    started = now()
    await body_of(await Asker(transport, provider.url)())
    assert seconds_since(started) < 0.2


async def test_when_all_addresses_refuse_the_first_reason_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    use_addresses(monkeypatch, [(socket.AF_INET, ("127.0.0.1", free_port()))] * 2)
    with pytest.raises(ConnectionRefusedError):
        await open_socket("twice", 80)


def test_families_take_turns() -> None:
    six = [(socket.AF_INET6, index) for index in range(3)]
    four = [(socket.AF_INET, index) for index in range(1)]
    assert taking_turns([*six, *four]) == [six[0], four[0], six[1], six[2]]


async def test_the_socket_sends_at_once_and_is_kept_alive(provider: FakeProvider) -> None:
    opened = await open_socket("127.0.0.1", provider.port)
    with opened:
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


REASONS = [
    (OSError(113, "No route to host"), "no route to host"),
    (ConnectionResetError(104, "reset"), "connection reset while connecting"),
    (socket.gaierror(socket.EAI_AGAIN, "try again"), "DNS: no answer from the name server"),
    (OSError(), "OSError"),
]


@pytest.mark.parametrize(("problem", "reason"), REASONS, ids=[reason for _, reason in REASONS])
def test_the_cause_is_told_in_a_few_words(problem: OSError, reason: str) -> None:
    assert connect_reason(problem) == reason


async def test_a_name_that_leads_inside_is_not_called(monkeypatch: pytest.MonkeyPatch, provider: FakeProvider) -> None:
    use_addresses(monkeypatch, [(socket.AF_INET, ("127.0.0.1", provider.port))])
    transport = WireTransport(reach=Reach(frozenset({"engine.local"}), restricted=True))
    with pytest.raises(Unreachable, match="TURNLOG_UPSTREAM_ALLOW_HOSTS"):
        await Asker(transport, f"http://sneaky.example:{provider.port}")()
    await body_of(await Asker(transport, f"http://engine.local:{provider.port}")())
    assert len(provider.requests) == 1
    await transport.aclose()


async def test_addresses_out_of_reach_are_left_out_of_the_race(
    monkeypatch: pytest.MonkeyPatch, provider: FakeProvider
) -> None:
    metadata = (socket.AF_INET, ("169.254.169.254", provider.port))
    use_addresses(monkeypatch, [metadata, (socket.AF_INET, ("127.0.0.1", provider.port))])
    (await open_socket("twice", provider.port)).close()
