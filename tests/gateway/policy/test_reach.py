"""Where a provider may be: decided on addresses, because names can lie."""

from __future__ import annotations

import pytest

from gateway.policy.reach import Reach

OPEN = Reach(frozenset({"metadata.allowed"}))
CLOSED = Reach(frozenset({"engine.local"}), restricted=True)

CASES = {
    "a public address": (CLOSED, "api.example", "93.184.216.34", True),
    "a public address of the sixth version": (CLOSED, "api.example", "2606:4700::1111", True),
    "loopback while nothing is restricted": (OPEN, "engine", "127.0.0.1", True),
    "a private address while nothing is restricted": (OPEN, "engine", "10.0.0.7", True),
    "cloud metadata, restricted or not": (OPEN, "engine", "169.254.169.254", False),
    "cloud metadata of the sixth version": (OPEN, "engine", "fe80::1%eth0", False),
    "cloud metadata in mapped form": (OPEN, "engine", "::ffff:169.254.169.254", False),
    "no address at all": (OPEN, "engine", "0.0.0.0", False),
    "loopback when restricted": (CLOSED, "engine", "127.0.0.1", False),
    "loopback in mapped form when restricted": (CLOSED, "engine", "::ffff:127.0.0.1", False),
    "a private address when restricted": (CLOSED, "engine", "192.168.1.5", False),
    "a unique local address when restricted": (CLOSED, "engine", "fd00::1", False),
    "a private address of a host that is named": (CLOSED, "Engine.Local", "192.168.1.5", True),
    "a link-local address of a host that is named": (OPEN, "metadata.allowed", "169.254.169.254", True),
}


@pytest.mark.parametrize(("reach", "host", "address", "allowed"), CASES.values(), ids=CASES)
def test_an_address(reach: Reach, host: str, address: str, allowed: bool) -> None:
    refusal = reach.refusal(host, address)
    assert (refusal is None) is allowed
    assert refusal is None or "TURNLOG_UPSTREAM_ALLOW_HOSTS" in refusal
