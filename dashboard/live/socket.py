"""`/d/ws/live`: events as they happen, for those who are signed in, of the teams they may see.

Messages are JSON. The first is `{"boot", "seq"}`: from which number of which board on this socket tells. Then
`{"n", "seq", "records"}` with `n` counting the messages, or `{"n", "gap": true}`: the reader was too slow and has to
ask `/d/live/since/`. Every 30 seconds it is looked again who is signed in and what they may see; who may not any more
is closed with 4401. Nothing that is sent to it is read.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from importlib import import_module
from types import SimpleNamespace
from typing import Any, Literal
from urllib.parse import urlsplit

from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user
from django.db import close_old_connections
from django.http import parse_cookie

from dashboard.access import Viewer
from dashboard.live.board import Numbered, sees
from dashboard.live.hub import hub
from dashboard.pages import Need

CHECK_SECONDS = 30.0
MOST_WAITING = 200
"""Batches that wait for a slow reader."""
SIGNED_OUT = 4401
ELSEWHERE = 4403
Teams = frozenset[str] | None


class LiveSocket(AsyncWebsocketConsumer):  # type: ignore[misc]
    async def connect(self) -> None:
        if not from_here(self.scope["headers"]):
            await self.close(ELSEWHERE)
            return
        self.key = session_key(self.scope["headers"])
        teams = await allowed(self.key)
        if teams is False:
            await self.close(SIGNED_OUT)
            return
        self.teams: Teams = teams
        self.count = 0
        self.waiting: asyncio.Queue[Sequence[Numbered] | None] = asyncio.Queue(MOST_WAITING)
        await self.accept()
        self.token = hub.listen(self.hear)
        await self.send(json.dumps({"boot": hub.board.boot, "seq": hub.board.number}))
        self.tasks = [asyncio.create_task(self.tell()), asyncio.create_task(self.check())]

    async def disconnect(self, code: int) -> None:
        for task in getattr(self, "tasks", ()):
            task.cancel()
        if hasattr(self, "token"):
            hub.leave(self.token)

    def hear(self, changed: Sequence[Numbered]) -> None:
        """On the loop. What a slow reader has not taken is thrown away, and it is told so."""
        if self.waiting.full():
            while not self.waiting.empty():
                self.waiting.get_nowait()
            self.waiting.put_nowait(None)
        self.waiting.put_nowait(changed)

    async def tell(self) -> None:
        while True:
            changed = await self.waiting.get()
            if changed is None:
                await self.send_counted({"gap": True})
                continue
            records = {event.record["id"]: event.record for event in changed if sees(self.teams, event.record)}
            if records:
                await self.send_counted({"seq": changed[-1].number, "records": list(records.values())})

    async def send_counted(self, message: dict[str, Any]) -> None:
        self.count += 1
        await self.send(json.dumps({"n": self.count} | message))

    async def check(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            teams = await allowed(self.key)
            if teams is False:
                await self.close(SIGNED_OUT)
                return
            self.teams = teams


def from_here(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether the page that opens the socket is one of ours: its origin is the host that was asked."""
    values = dict(headers)
    origin, host = values.get(b"origin", b"").decode("latin-1"), values.get(b"host", b"").decode("latin-1")
    try:
        return bool(host) and urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def session_key(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    cookies = parse_cookie(dict(headers).get(b"cookie", b"").decode("latin-1"))
    return cookies.get(settings.SESSION_COOKIE_NAME)


@sync_to_async
def allowed(key: str | None) -> Teams | Literal[False]:
    """Of which teams the session's user may see figures; False: none, or nobody is signed in."""
    close_old_connections()
    session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    user = get_user(SimpleNamespace(session=session))  # type: ignore[arg-type]
    if not user.is_authenticated or not user.is_active:
        return False
    viewer = Viewer.of(user)
    return viewer.figures.teams if viewer.may(Need.FIGURES) else False
