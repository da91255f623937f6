"""What axe-core finds on a page. It is run by the debugger, beside the page's own policy."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from playwright.sync_api import Page

GRAVE = ("serious", "critical")


@cache
def program() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text()


def grave_findings(page: Page) -> list[str]:
    """Serious and critical ones: the rule, and the elements that break it."""
    page.evaluate(program())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['id']}: {[node['html'][:160] for node in rule['nodes'][:4]]} {rule['nodes'][0]['failureSummary'][:300]}"
        for rule in found["violations"]
        if rule["impact"] in GRAVE
    ]
