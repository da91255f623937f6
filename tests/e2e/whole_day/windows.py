"""A running Turnlog with a history, windows onto its pages, and requests that come in meanwhile."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from playwright.sync_api import Browser, Page

from dashboard.pages import PAGES
from tests.browser.trouble import Trouble
from tests.e2e.processes import WebProcess
from tests.e2e.wire import Pairs, ask

KEYS = {name: f"key-of-{name}-for-the-day-0123456789" for name in ("ada", "ben", "cleo")}
KEY = KEYS["ada"]
MODEL = "claude-opus-5-5"
RULED = "claude-haiku-4-8"
"""The model whose requests a header rule changes."""
ADDRESSES = {page.name: f"/d/{page.name}/" for page in PAGES} | {"overview": "/d/", "conversations": "/d/c/"}


class Day(NamedTuple):
    """`sessions`: the value of each one's session cookie, by name."""

    web: WebProcess
    sessions: dict[str, str]


def window(
    day: Day, browser: Browser, trouble: Trouble, who: str = "admin", width: int = 1440, scheme: Any = "light"
) -> Page:
    """`who` is signed in, to a context of its own."""
    context = browser.new_context(base_url=day.web.url, viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.add_cookies([{"name": "sessionid", "value": day.sessions[who], "url": day.web.url}])
    context.set_default_timeout(60_000)
    page = context.new_page()
    trouble.watch(page)
    return page


def say(day: Day, mark: str, scenario: bytes = b"text", model: str = MODEL, extra: Pairs = []) -> None:  # noqa: B006
    """A request of Ada's in the session `mark`, and its answer to the end."""
    asked = {"model": model, "stream": True, "messages": [{"role": "user", "content": "x"}], "max_tokens": 9}
    headers = [
        (b"x-api-key", KEY.encode()),
        (b"x-scenario", scenario),
        (b"x-claude-code-session-id", mark.encode()),
        *extra,
    ]
    assert ask(day.web, "POST", "/v1/messages", headers, json.dumps(asked).encode()).status == 200
