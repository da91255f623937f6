"""SEC-06: what people and models say, shown on every page there is, in a browser, by the real `web` process."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter, deque
from urllib.parse import quote, urlsplit

import yaml
from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.browser.probes import PROBES
from tests.browser.trouble import ARGUMENTS, Trouble
from tests.faults.client import KEY, LoadClient, Pairs
from tests.faults.code import command
from tests.faults.registry import Failed, require, row
from tests.faults.replays import manage
from tests.faults.scene import Gateway, Scene

NAMES = (b"user-agent", b"x-team", b"x-claude-code-session-id", b"x-claude-code-prompt-id", b"x-anything")
SAME_PAGES = 2
"""How many pages that differ by an id or a parameter alone are looked at; those that show a request, all."""
MOST_PAGES = 3000
"""A walk that finds more goes round in circles: the kinds of its pages are not told apart right."""
REQUEST = re.compile(r"/d/r/\*/")
OTHERS = ("error_529", "text;content=tools")
LEAVING = ("/logout", "/jsi18n")
ASKED = ("model", "outcome", "q", "session", "o", "user", "team", "provider", "range")
"""Parameters that a link from outside may carry."""
HARM = """() => [...document.querySelectorAll('*')].filter(e =>
    ['href', 'src', 'action'].some(name => /^\\s*(javascript|vbscript):/i.test(e.getAttribute(name) || ''))
    || (e.closest('.tl') && [...e.attributes].some(a => /^on/i.test(a.name)))).map(e => e.outerHTML.slice(0, 200))"""
LINKS = """() => [...document.querySelectorAll('a[href]')].map(
    a => a.href.baseVal === undefined ? a.href : new URL(a.href.baseVal, location.href).href)"""
"""Links in a drawing have an object for an address."""
OPEN = "() => document.querySelectorAll('details').forEach(fold => fold.open = true)"


@row(
    "SEC-06",
    "Hostile prompts, tool results, model names, header values and links shown on every page that can be reached in"
    " chromium: nothing runs, nothing is loaded from elsewhere, no `javascript:` link, no breach of the content policy;"
    " a download of the exact bytes is a file and no page.",
)
async def hostile_text(scene: Scene) -> str:
    status, browser = await command("sh", "scripts/browser")
    require(status == 0, f"there is no chromium: {browser[-200:]}")
    async with scene.gateway(TURNLOG_TAG_HEADERS="x-team,x-anything") as gateway:
        await speak(scene, gateway)
        refused = await configure(scene, gateway)
        link = re.search(r"http://\S+/enter/\S+", gateway.run.output)
        require(link, "make run printed no link to sign in with")
        assert link is not None
        walk = Walk(gateway.url, browser.strip().splitlines()[-1])
        seen = await asyncio.to_thread(walk.all_pages, link[0])
    return f"{seen}; {len(PROBES)} texts; {refused}"


async def speak(scene: Scene, gateway: Gateway) -> None:
    """Every text, wherever a client or a model can put one; three exchanges become dead letters."""
    client = scene.client(gateway)
    names = ", ".join("'" + probe.replace("'", "''") + "'" for probe in PROBES[:3])
    with gateway.connect() as connection:
        check = f"ADD CONSTRAINT no_poison CHECK (requested_model NOT IN ({names}) OR NOT is_streaming) NOT VALID"
        connection.execute(f"ALTER TABLE gateway_requestlog {check}")  # type: ignore[call-overload]
    for probe in PROBES:
        await say(client, probe)
    await gateway.until_status(lambda s: s["dead_letters"] == 3 and not s["spooled"], "three dead letters", 60)


async def say(client: LoadClient, probe: str) -> None:
    headers: Pairs = [(name, value) for name in NAMES if (value := header_value(probe))]
    for scenario, stream in (("text", True), (OTHERS[len(probe) % 2], False)):
        body = json.dumps(said(probe, stream=stream)).encode()
        told = f"{scenario};text={quote(probe, safe='')}"
        answer = await client.ask(
            told, body=body, headers=[*KEY, *headers], target=f"/v1/messages?{quote(probe, safe='')}"
        )
        require(answer.ending == "whole", f"{probe!r}, {scenario}: {answer.status} {answer.ending} {answer.problem}")


def said(probe: str, *, stream: bool) -> dict[str, object]:
    use = {"type": "tool_use", "id": probe, "name": probe, "input": {probe: probe}}
    result = {"type": "tool_result", "tool_use_id": probe, "content": [{"type": "text", "text": probe}]}
    image = {"type": "image", "source": {"type": "url", "media_type": probe, "url": probe}}
    messages = [
        {"role": "user", "content": probe},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": probe}, use, {"type": probe}]},
        {"role": "user", "content": [result, image, {"type": "text", "text": probe}]},
    ]
    tools = [{"name": probe, "description": probe, "input_schema": {"type": "object", "properties": {probe: {}}}}]
    return {"model": probe, "system": probe, "messages": messages, "tools": tools, "stream": stream, probe: probe}


def header_value(probe: str) -> bytes | None:
    value = probe.encode()
    return None if any(byte < 32 or byte == 127 for byte in value) else value


async def configure(scene: Scene, gateway: Gateway) -> str:
    """Names that people in the admin may give; what is refused cannot be shown."""
    sections = {
        "routes": [{"match": probe, "provider": "anthropic", "model": probe} for probe in PROBES],
        "teams": [{"name": probe} for probe in PROBES],
    }
    told = []
    for name, entries in sections.items():
        file = scene.directory / f"{name}.yaml"
        file.write_text(yaml.safe_dump({name: entries}, allow_unicode=True))
        try:
            await manage(gateway, "config", "apply", str(file), "--yes")
            told.append(f"{name} with such names taken")
        except Failed as refusal:
            told.append(f"{name} with such names refused ({str(refusal)[-80:].strip()})")
    require("routes with such names taken" in told, f"no page shows what was configured: {told}")
    return ", ".join(told)


class Walk:
    """Goes wherever the pages' own links lead, and asks each list for hostile parameters."""

    def __init__(self, base: str, browser: str) -> None:
        self.base = base
        self.browser = browser
        self.trouble = Trouble()
        self.waiting: deque[str] = deque(["/", "/admin/"])
        self.known: set[str] = set(self.waiting)
        self.kinds: Counter[str] = Counter()
        self.downloads = 0

    def all_pages(self, link: str) -> str:
        """Blocks; what was walked through, or raises Failed."""
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=self.browser, args=ARGUMENTS)
            context = chromium.new_context(base_url=self.base, viewport={"width": 1440, "height": 900})
            page = context.new_page()
            self.trouble.watch(page)
            page.goto(link)
            if page.locator("form button[type=submit], form input[type=submit]").count() and "/enter/" in page.url:
                page.locator("form button[type=submit], form input[type=submit]").first.click()
            require("/admin/" in page.url, f"the link led to {page.url}")
            while self.waiting and sum(self.kinds.values()) < MOST_PAGES:
                self.visit(page, context, self.waiting.popleft())
            chromium.close()
        most = self.kinds.most_common(12)
        require(not self.waiting, f"there are more than {MOST_PAGES} pages, the rest was not looked at: {most}")
        require(self.downloads, "no download of exact bytes was found")
        require(any(REQUEST.fullmatch(kind) for kind in self.kinds), f"no page of a request was found: {self.kinds}")
        return f"{sum(self.kinds.values())} pages of {len(self.kinds)} kinds, {self.downloads} downloads"

    def visit(self, page: Page, context: BrowserContext, address: str) -> None:
        if "/raw/" in address or "format=" in address:
            self.download(context, address)
            return
        kind = kind_of(address)
        if self.kinds[kind] >= (2 * len(PROBES) if REQUEST.fullmatch(kind) else SAME_PAGES):
            return
        self.kinds[kind] += 1
        page.goto(address)
        page.evaluate(OPEN)
        page.mouse.move(700, 400)
        self.judge(page, address)
        for link in page.evaluate(LINKS):
            self.note(link.partition("#")[0])  # urldefrag would lose a path's last semicolon
        if kind == address and kind.startswith(("/admin/gateway/", "/d/")) and not kind.endswith("/add/"):
            for name in ASKED:
                self.note(f"{self.base}{address}?{name}={quote(PROBES[0])}")

    def note(self, link: str) -> None:
        parts = urlsplit(link)
        if f"{parts.scheme}://{parts.netloc}" != self.base or any(word in parts.path for word in LEAVING):
            return
        address = parts.path + (f"?{parts.query}" if parts.query else "")
        if address not in self.known:
            self.known.add(address)
            self.waiting.append(address)

    def judge(self, page: Page, address: str) -> None:
        found = page.evaluate(HARM)
        require(not found, f"{address} holds {found[:2]}")
        refused = page.evaluate("window.refused")
        require(not self.trouble.said + refused, f"{address}: {(self.trouble.said + refused)[:2]}")
        hosts = self.trouble.hosts - {urlsplit(self.base).netloc}
        require(not hosts, f"{address} spoke to {hosts}")

    def download(self, context: BrowserContext, address: str) -> None:
        answer = context.request.get(address)
        kept = answer.headers
        require(answer.status == 200, f"{address}: {answer.status}")
        is_text = kept.get("content-type", "").startswith(("text/plain", "text/csv", "application/x-ndjson"))
        is_file = is_text and "attachment" in kept.get("content-disposition", "")
        require(is_file and kept.get("x-content-type-options") == "nosniff", f"{address} is a page: {kept}")
        self.downloads += 1


def kind_of(address: str) -> str:
    """The address without what tells pages of one kind apart."""
    path, _, query = address.partition("?")
    path = re.sub(r"/(?=[^/]*\d)[\w~%.-]+(?=/|$)", "/*", path)
    names = sorted({part.partition("=")[0] for part in query.split("&") if part})
    if len(names) > 1:  # lists link to every combination of their filters: each is seen by itself, and some together
        return f"{path}?several"
    return path + (f"?{names[0]}" if names else "")
