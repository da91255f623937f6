"""Opens a socket to an origin: names, addresses of both families raced against each other, TLS.

The race is ours because uvloop's `create_connection` has none. An attempt starts when the one before has failed or has
been quiet for 250 ms; the first to connect wins and the others are closed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from typing import Any

from gateway.policy.reach import Reach

HEAD_START = 0.25
"""Seconds an address has for itself before the next is tried beside it."""
SHUTDOWN_SECONDS = 2.0
"""How long a graceful TLS close may wait for the other side."""

ANYWHERE = Reach()
Address = tuple[int, Any]
"""(family, what connect takes)"""


def default_tls(ca_file: str = "") -> ssl.SSLContext:
    """Verifies against the authorities in the file, or else the system's store or what SSL_CERT_FILE names; speaks
    HTTP/1.1 only. Raises OSError when the file cannot be used."""
    context = ssl.create_default_context(cafile=ca_file or None)
    context.set_alpn_protocols(["http/1.1"])
    return context


class OutOfReach(OSError):
    """The host has no address that it may be called at."""


async def open_socket(host: str, port: int, reach: Reach = ANYWHERE) -> socket.socket:
    """A connected, non-blocking socket with TCP_NODELAY and SO_KEEPALIVE. Raises OSError and `socket.gaierror`."""
    addresses = within_reach(host, await resolve(host, port), reach)
    if len(addresses) == 1:
        return await connect_one(addresses[0])
    return await race(addresses)


def within_reach(host: str, addresses: list[Address], reach: Reach) -> list[Address]:
    """Checked on what is about to be called, so that a name cannot mean one address here and another there."""
    refusals = [reach.refusal(host, place[0]) for _, place in addresses]
    allowed = [address for address, refusal in zip(addresses, refusals, strict=True) if refusal is None]
    if not allowed:
        raise OutOfReach(next((refusal for refusal in refusals if refusal), f"{host} has no address"))
    return allowed


async def resolve(host: str, port: int) -> list[Address]:
    """The host's addresses, families taking turns. An address written in digits needs no look-up."""
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return taking_turns([(entry[0], entry[4]) for entry in found])
    return [(socket.AF_INET6 if literal.version == 6 else socket.AF_INET, (host, port))]


def taking_turns(addresses: list[Address]) -> list[Address]:
    first = [entry for entry in addresses if entry[0] == addresses[0][0]]
    second = [entry for entry in addresses if entry[0] != addresses[0][0]]
    mixed: list[Address] = []
    for index in range(max(len(first), len(second))):
        mixed += first[index : index + 1] + second[index : index + 1]
    return mixed


async def connect_one(address: Address) -> socket.socket:
    family, place = address
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        await asyncio.get_running_loop().sock_connect(made, place)
    except BaseException:
        made.close()
        raise
    return made


async def race(addresses: list[Address]) -> socket.socket:
    """The first of the addresses to connect. Raises the first failure when all fail."""
    running: set[asyncio.Task[socket.socket]] = set()
    waiting = list(addresses)
    failures: list[BaseException] = []
    winner: socket.socket | None = None
    try:
        while (waiting or running) and winner is None:
            if waiting:
                running.add(asyncio.create_task(connect_one(waiting.pop(0))))
            patience = HEAD_START if waiting else None
            done, running = await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            winner = take_winner(done, failures)
    finally:
        give_up(running)
    if winner is None:
        raise failures[0]
    return winner


def take_winner(done: set[asyncio.Task[socket.socket]], failures: list[BaseException]) -> socket.socket | None:
    winner: socket.socket | None = None
    for task in done:
        problem = task.exception()
        if problem is not None:
            failures.append(problem)
        elif winner is None:
            winner = task.result()
        else:
            task.result().close()
    return winner


def give_up(running: set[asyncio.Task[socket.socket]]) -> None:
    """Cancel what still tries; one that connected in the same moment is closed."""
    for task in running:
        task.cancel()
        task.add_done_callback(close_result)


def close_result(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
