"""How the browser is started, and what a page did that none may do."""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.sync_api import Page

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
