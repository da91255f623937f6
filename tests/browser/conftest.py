"""A chromium driven by playwright, signed in to a server over the test database."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WATCH_POLICY = """
window.refused = [];
document.addEventListener('securitypolicyviolation', event => window.refused.push(
    `${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


@dataclass
class Trouble:
    """What a page did that none may do. `hosts` are those it spoke to."""

    said: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def watch(self, page: Page) -> None:
        page.add_init_script(WATCH_POLICY)
        page.on("console", lambda message: self.said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.said.append(f"script error: {error}"))
        page.on("dialog", lambda dialog: (self.said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        page.on("response", lambda answer: self.note_failure(answer.status, answer.url))

    def note_failure(self, status: int, url: str) -> None:
        if status >= 400:
            self.said.append(f"{status} {url}")

    def expect_none(self, page: Page) -> None:
        assert self.said + page.evaluate("window.refused") == []


def chromium_program() -> str:
    """The browser of CHROMIUM, or the one the system has."""
    named = os.environ.get("CHROMIUM")
    found = named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None or not Path(found).exists():
        pytest.fail("The browser tests need chromium: `apt-get install chromium`, or set CHROMIUM to a program.", False)
    return found


class Windows:
    """Opens addresses of one server, each in a window of its own.

    The browser starts with the first window and ends with the test, before the database fixtures do: while playwright's
    synchronous interface runs, so does an event loop in this thread, and Django would refuse to touch the database. So
    a test makes its rows first.
    """

    def __init__(self, url: str, trouble: Trouble) -> None:
        self.url = url
        self.trouble = trouble
        self.cookie = session_cookie(url)
        self.stack = ExitStack()
        self.browser: Browser | None = None

    def __call__(self, address: str, *, signed_in: bool = True, width: int = 1440, scheme: str = "light") -> Page:
        browser = self.browser or self.start()
        context = browser.new_context(base_url=self.url, viewport={"width": width, "height": 900}, color_scheme=scheme)
        if signed_in:
            context.add_cookies([self.cookie])
        page = context.new_page()
        self.trouble.watch(page)
        page.goto(address)
        return page

    def start(self) -> Browser:
        playwright = self.stack.enter_context(sync_playwright())
        self.browser = playwright.chromium.launch(executable_path=chromium_program(), args=ARGUMENTS)
        self.stack.callback(self.browser.close)
        return self.browser


@pytest.fixture
def trouble() -> Trouble:
    return Trouble()


@pytest.fixture
def open_page(live_server: Any, trouble: Trouble) -> Iterator[Windows]:
    """Opens an address in a new window, signed in as an administrator."""
    windows = Windows(live_server.url, trouble)
    with windows.stack:
        yield windows


def session_cookie(url: str) -> Any:
    user, _ = User.objects.get_or_create(username="admin", is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(user)
    return {
        "name": settings.SESSION_COOKIE_NAME,
        "value": client.cookies[settings.SESSION_COOKIE_NAME].value,
        "url": url,
    }
