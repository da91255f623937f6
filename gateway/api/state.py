"""What the connections of one server know in common."""

from __future__ import annotations

from collections.abc import Callable

from uvicorn.server import ServerState


class GatewayState(ServerState):
    """`came` is called for every connection that has come in."""

    def __init__(self, came: Callable[[], None]) -> None:
        super().__init__()
        self.is_draining = False
        """Every answer from now on is the last of its connection."""
        self.is_closing = False
        """Nobody is taken in any more."""
        self.came = came
