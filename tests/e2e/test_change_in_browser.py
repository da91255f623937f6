"""A change saved in the admin by a real browser while clients are served: in force within a second, nobody fails, and
one click brings the old configuration back."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

import psycopg
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.conftest import chromium_program
from tests.browser.trouble import ARGUMENTS, Trouble
from tests.e2e.configured import apply_and_wait, manage
from tests.e2e.people import signed_in
from tests.e2e.processes import WebProcess, until
from tests.e2e.wire import ask
from tests.upstream import FakeProvider

pytestmark = pytest.mark.browser

KEY = "key-of-the-clients-0123456789"
CLIENTS = 4
DOCUMENT = """
providers:
  - {{name: anthropic, dialect: anthropic, address: "{url}", credentials: [{{name: a, secret: sk-ant-api03-pool}}]}}
routes:
  - {{name: claude, match: "claude-*", provider: anthropic, model: claude-before}}
api_keys:
  - {{name: clients, key_env: KEY}}
"""


class Served(NamedTuple):
    web: WebProcess
    session: str


@pytest.fixture(scope="module")
def served(
    session_database_url: str,
    upstreams: dict[str, str],
    provider_thread: FakeProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    web = WebProcess(tmp_path_factory.mktemp("changed"), session_database_url, **upstreams, KEY=KEY)
    manage(web, "collectstatic", "--noinput")
    try:
        web.start()
        apply_and_wait(web, DOCUMENT.format(url=provider_thread.url))
        yield Served(web, signed_in(web, [("changes-things", "superuser", "")])["changes-things"])
        apply_and_wait(web, "providers: []\nroutes: []\napi_keys: []\n")
    finally:
        web.stop()


class Clients:
    """Ask one after the other until told to stop. `wrong` holds every status but 200."""

    def __init__(self, web: WebProcess) -> None:
        self.web = web
        self.wrong: list[int] = []
        self.asked = 0
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)

    def _ask(self) -> None:
        body = json.dumps({"model": "claude-opus-4-5", "messages": [], "max_tokens": 1}).encode()
        while not self._stopping.is_set():
            status = ask(self.web, "POST", "/v1/messages", [(b"x-api-key", KEY.encode())], body).status
            self.asked += 1
            if status != 200:
                self.wrong.append(status)


def first_for(provider: FakeProvider, model: str, since: float = 0.0) -> float | None:
    """When the first request came, since then, that names the model. Unix times."""
    seen = [request for request in list(provider.requests) if request.is_complete and request.started_at >= since]
    return next((request.started_at for request in seen if json.loads(request.body)["model"] == model), None)


def seconds_until(served: Served, provider: FakeProvider, model: str, page: Page, button: str) -> float:
    """From the moment at which the change is saved until the provider is asked for the model."""
    clicked = time.time()
    page.get_by_role("button", name=button, exact=True).click(no_wait_after=True)
    first = until(lambda: first_for(provider, model, clicked), 10, f"a request for {model}")
    with psycopg.connect(served.web.environment["DATABASE_URL"]) as connection:
        row = connection.execute("SELECT max(made_at) FROM gateway_configurationrevision").fetchone()
    assert row is not None
    saved: float = row[0].timestamp()
    assert saved > clicked
    return first - saved


def test_a_saved_change_is_in_force_within_a_second_and_one_click_takes_it_back(
    served: Served, provider: FakeProvider
) -> None:
    trouble = Trouble()
    with sync_playwright() as playwright, Clients(served.web) as clients:
        browser = playwright.chromium.launch(executable_path=chromium_program(), args=ARGUMENTS)
        context = browser.new_context(base_url=served.web.url, viewport={"width": 1440, "height": 1000})
        context.add_cookies([{"name": "sessionid", "value": served.session, "url": served.web.url}])
        page = context.new_page()
        trouble.watch(page)
        until(lambda: first_for(provider, "claude-before"), 60, "a client")
        page.goto("/admin/gateway/modelroute/")
        page.get_by_role("link", name="claude", exact=True).first.click()
        page.locator("#id_model").fill("claude-after")
        assert seconds_until(served, provider, "claude-after", page, "Save") < 1.0
        page.wait_for_url(re.compile(r"/modelroute/(\?.*)?$"))
        page.goto("/admin/gateway/configurationrevision/")
        page.locator("#result_list tbody tr").nth(1).locator("a").first.click()
        assert seconds_until(served, provider, "claude-before", page, "Go back to this version") < 1.0
        expect(page.locator("body")).to_contain_text("the configuration is that of version")
        trouble.expect_none(page)
        browser.close()
    assert clients.wrong == []
    assert clients.asked > 50
