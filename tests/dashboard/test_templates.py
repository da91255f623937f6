"""What holds for every template, whichever page shows it."""

from __future__ import annotations

import re

import pytest
from django.conf import settings

SCROLLS = {"tl-scroll", "tl-code", "b-code", "b-value", "b-numbered", "b-diff"}
"""Classes whose overflow scrolls."""
TEMPLATES = sorted(path for where in settings.TEMPLATES[0]["DIRS"] for path in where.rglob("*.html"))
# Lines beside their numbers do not scroll: what holds both does.
ELEMENT = re.compile(r'(?<!</pre>)<[a-z]+ [^>]*class="([^"]*)"[^>]*>')


def scrolling_elements() -> list[tuple[str, str]]:
    found = [(path.name, one) for path in TEMPLATES for one in ELEMENT.finditer(path.read_text())]
    return [(name, one[0]) for name, one in found if SCROLLS & set(one[1].split())]


@pytest.mark.parametrize(("template", "element"), scrolling_elements())
def test_what_scrolls_is_reached_with_the_keyboard(template: str, element: str) -> None:
    assert 'tabindex="0"' in element
    if "tl-scroll" in element:
        assert 'role="region"' in element
        assert re.search(r'aria-label="[^"]+"', element)


def test_the_elements_that_scroll_are_found() -> None:
    assert {"live.html", "requests.html", "chart.html"} <= {template for template, _ in scrolling_elements()}
