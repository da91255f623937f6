"""docs/metrics.md names every metric there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.metrics.families import FAMILIES, HISTOGRAMS, PREFIX

PAGE = Path(__file__).resolve().parents[1] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(turnlog_\w+)` \| (.*?) \|", re.MULTILINE)


def test_the_page_lists_each_metric_with_its_labels() -> None:
    rows = {name: tuple(re.findall(r"`(\w+)`", labels)) for name, labels in ROW.findall(PAGE.read_text())}
    assert rows == {PREFIX + name: family.labels for name, family in FAMILIES.items()}


def test_names_follow_the_conventions() -> None:
    for name, family in FAMILIES.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert family.help.endswith(".") or family.help.startswith(("0:", "1"))
        assert not {"le", "instance", "job"} & set(family.labels)
        assert not (name in HISTOGRAMS and name.endswith("_total"))
