"""What the other side's machine has certainly taken of what was sent to it."""

from __future__ import annotations

import asyncio
import socket
import sys

TCP_INFO: int | None = getattr(socket, "TCP_INFO", None)
"""Linux's; elsewhere nothing is known."""
RESTED_SECONDS = 0.05
"""A connection that was idle for so long may be in the closing; asking the system each time would cost 3 µs."""
ACKED = slice(120, 128)
"""Where its `struct tcp_info` has `tcpi_bytes_acked`."""


def bytes_acknowledged(transport: asyncio.Transport) -> int | None:
    """Bytes of ours that were acknowledged on the connection so far; None where the system does not tell."""
    if TCP_INFO is None:
        return None
    try:
        told = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, TCP_INFO, ACKED.stop)
    except (OSError, AttributeError):
        return None
    return int.from_bytes(told[ACKED], sys.byteorder) if len(told) == ACKED.stop else None
