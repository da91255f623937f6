"""The demonstration's history in a running Turnlog, with people of every role, and a browser."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.conftest import chromium_program
from tests.browser.trouble import ARGUMENTS, Trouble
from tests.e2e.configured import apply, apply_and_wait, manage
from tests.e2e.people import signed_in
from tests.e2e.processes import WebProcess, beside
from tests.e2e.whole_day.windows import KEYS, RULED, Day
from tests.upstream import FakeProvider

DOCUMENT = """
providers:
  - {{name: anthropic, dialect: anthropic, address: "{url}", credentials: [{{name: a, secret: sk-ant-api03-pool}}]}}
teams: [{{name: atlas}}, {{name: borealis}}, {{name: checkout}}, {{name: data}}, {{name: platform}}]
api_keys:
  - {{name: ada, key_env: KEY_ADA, team: atlas}}
  - {{name: ben, key_env: KEY_BEN, team: atlas}}
  - {{name: cleo, key_env: KEY_CLEO, team: platform}}
header_rules:
  - {{name: rule-7, header: x-team, action: set, value: search, models: ["{model}"], state: {state}}}
"""
# A picture of the guides shows a month's work.
HISTORY = ("--turns", "2000", "--days", "32") if os.environ.get("PICTURES") else ("--turns", "300", "--days", "5")
PEOPLE = [
    ("admin", "superuser", ""),
    ("ops", "ops", ""),
    ("lead", "lead", "atlas"),
    ("member", "member", "atlas"),
    ("stranger", "", ""),
]


@pytest.fixture(scope="session")  # of a package it would be made anew, in the same database, after tests elsewhere
def day(
    demonstration_url: str,
    upstreams: dict[str, str],
    provider_thread: FakeProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Day]:
    keys = {f"KEY_{name.upper()}": key for name, key in KEYS.items()}
    web = WebProcess(tmp_path_factory.mktemp("day"), demonstration_url, **upstreams, **keys)
    manage(web, "demo", *HISTORY, "--yes", seconds=600)
    manage(web, "collectstatic", "--noinput")
    try:
        web.start()
        names = {"url": provider_thread.url, "model": RULED}
        apply(web, DOCUMENT.format(**names, state="draft"))
        manage(web, "headerrules", "dry-run", "rule-7")
        apply_and_wait(web, DOCUMENT.format(**names, state="live"))
        sessions = signed_in(web, PEOPLE)
        with beside(web, "loader"):
            yield Day(web, sessions)
    finally:
        web.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=30_000)  # of a machine that has other things to do
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_program(), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def trouble() -> Trouble:
    return Trouble()
