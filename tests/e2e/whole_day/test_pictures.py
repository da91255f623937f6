"""The pictures of the guides are taken here, of a running Turnlog: `make pictures` writes them to docs/images."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_admin_pages import fits
from tests.browser.trouble import Trouble
from tests.e2e.configured import manage
from tests.e2e.processes import ROOT
from tests.e2e.whole_day.agents import at_work
from tests.e2e.whole_day.watched_over import FILL
from tests.e2e.whole_day.windows import ADDRESSES, Day, window

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

IMAGES = ROOT / "docs" / "images"
MOST_BYTES = 4_000_000
SIZES = {"wide": 1440, "phone": 390}
OF_RANGE = "?range=30d"
SHOTS = {
    "start": "/admin/",
    "rules": "/admin/gateway/headerrule/",
    **{name: address + ("" if name in ("live", "agents", "me") else OF_RANGE) for name, address in ADDRESSES.items()},
}
FINISHED = "outcome:completed cache:>9k -key:ada -key:ben -key:cleo"
DRAWN = ("overview", "requests", "usage", "quota", "models")
"""Pages with a drawing."""
ROWS = """() => [...document.querySelectorAll('[data-walk] [data-row]')].map(
    link => [link.getAttribute('href'), link.closest('tr, li, article').innerText])"""
TABS = ("messages", "timeline", "headers", "cost")


def subagents_in(row: str) -> int:
    found = re.search(r"Subagents\s+(\d+)", row)
    return int(found[1]) if found else 0


def addresses_within(day: Day, browser: Browser, trouble: Trouble) -> dict[str, str]:
    """The conversation with most subagents, and a turn of it, as the lists lead to them."""
    page = window(day, browser, trouble)
    page.goto(f"/d/c/{OF_RANGE}")
    rows: list[tuple[str, str]] = page.evaluate(ROWS)
    conversation = max(rows, key=lambda one: subagents_in(one[1]))[0]
    page.goto(f"/d/requests/{OF_RANGE}&q={FINISHED}")
    row = page.locator("[data-peek]").nth(2)
    request, peek = row.get_attribute("href"), row.get_attribute("data-peek")
    page.context.close()
    tabs = {f"request-{tab}": f"{request}?tab={tab}" for tab in TABS}
    return {
        "conversation": conversation,
        "drawer": f"/d/requests/{OF_RANGE}&q={FINISHED}&peek={peek}",
        **tabs,
    }


def settle(page: Page, name: str) -> None:
    """Until what comes by script is there."""
    page.evaluate("document.fonts.ready")
    if name == "live":
        expect(page.locator("[data-rows] .lv-on").first).to_be_visible()
        expect(page.locator("[data-rows] tr").nth(9)).to_be_attached(timeout=60_000)
    elif name == "agents":
        expect(page.locator(".lv-card").nth(2)).to_be_visible()
        expect(page.locator(".lv-tool").first).to_be_visible(timeout=30_000)
    elif name == "drawer":
        expect(page.locator("#drawer [data-peek-open]")).to_be_visible()
    if name in DRAWN:
        expect(page.locator(".uplot canvas").first).to_be_visible()


def take(page: Page, path: Path) -> None:
    """As WebP, which is a third of a PNG."""
    session = page.context.new_cdp_session(page)
    taken = session.send("Page.captureScreenshot", {"format": "webp", "quality": 80})
    path.write_bytes(base64.b64decode(taken["data"]))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where they go: PICTURES, or nowhere that stays."""
    return ROOT / os.environ["PICTURES"] if os.environ.get("PICTURES") else tmp_path_factory.mktemp("pictures")


def test_the_pictures_are_taken(day: Day, browser: Browser, trouble: Trouble, pictures: Path) -> None:
    manage(day.web, "shell", "-c", FILL)
    shots = SHOTS | addresses_within(day, browser, trouble)
    wrong = []
    with at_work(day):
        for scheme in ("light", "dark"):
            for size, width in SIZES.items():
                page = window(day, browser, trouble, width=width, scheme=scheme)
                for name, address in shots.items():
                    page.goto(address)
                    settle(page, name)
                    if not fits(page):
                        wrong.append(f"{name} is wider than {width} pixels")
                    take(page, pictures / f"{name}-{size}-{scheme}.webp")
                trouble.expect_none(page)
                page.context.close()
    assert not wrong
    sizes = {path.name: path.stat().st_size for path in pictures.glob("*.webp")}
    assert len(sizes) == len(shots) * len(SIZES) * 2
    assert min(sizes.values()) > 4_000, "a picture is empty"
    assert sum(sizes.values()) < MOST_BYTES


def test_the_guides_show_what_was_taken() -> None:
    """Every picture they show is there, and no other lies beside them."""
    guides = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    shown = {name for guide in guides for name in re.findall(r"images/([\w.-]+)", guide.read_text())}
    assert shown == {path.name for path in IMAGES.iterdir()}
