"""A chromium driven by playwright, signed in to a server over the test database."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.trouble import ARGUMENTS, Trouble


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
