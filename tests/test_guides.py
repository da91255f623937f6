"""The guides say what the program says: every state a person can see is explained, every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.api.descriptors import Descriptors
from gateway.api.memory import Memory
from gateway.api.probes import problems
from gateway.dialects.names import Outcome
from gateway.recording.completed_log import line
from gateway.recording.counters import DROP_SLOTS
from gateway.recording.rows import RowBuilder
from gateway.recording.spool_copy import NOT_IN_BACKUP
from proxy_project.embedded.connect import connection_lines
from proxy_project.environment import load_environment
from tests.e2e.processes import ROOT
from tests.exchanges import Sample

GUIDES = [
    "README.md",
    "examples/README.md",
    *(f"docs/{name}.md" for name in ("operations", "deployment", "connecting")),
]
PAGES = [*GUIDES, *(str(path.relative_to(ROOT)) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))]
LINK = re.compile(r"\]\((?!https?://)([^)\s]+)\)")
CAPTURED = re.compile(r'"(lost_\w+|recorder_fault)"')


def text(name: str) -> str:
    return (ROOT / name).read_text()


def captures() -> set[str]:
    """Every value the recording code gives to `capture`."""
    folder = ROOT / "gateway" / "recording"
    return {"full"} | {found for path in folder.glob("*.py") for found in CAPTURED.findall(path.read_text())}


class Quiet:
    """A runtime in which nothing is wrong."""

    draining = False
    keeps_history = True
    memory = Memory([])
    descriptors = Descriptors(lambda: 0, lambda: None)

    class configuration:
        problem = None

        class access_file:
            problem = None


STATES = {
    "outcomes": [outcome.value for outcome in Outcome],
    "reasons of dropping": [*DROP_SLOTS, "dead_letter", "discarded", NOT_IN_BACKUP],
    "captures": sorted(captures()),
    "parts of /readyz": list(problems(Quiet())),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("kind", STATES)
def test_every_state_has_a_row_that_explains_it(kind: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \|", text("docs/operations.md"), re.MULTILINE)
    assert STATES[kind]
    assert [state for state in STATES[kind] if state not in rows] == []


def test_every_field_of_the_metrics_line_is_named() -> None:
    fields = line(RowBuilder().build(Sample(b"{}").recorded()))
    assert [name for name in fields if name not in text("docs/operations.md")] == []


def test_the_lines_to_paste_are_those_make_run_prints() -> None:
    guide = re.sub(r" +#.*", "", text("docs/connecting.md"))
    for client, lines in connection_lines("https://gateway.example.com", keyed=True)[:2]:
        wanted = [line for line in lines.split("\n") if line and not line.startswith("#")]
        assert [line for line in wanted if line not in guide] == [], client


@pytest.mark.parametrize("name", sorted(set(PAGES)))
def test_every_link_leads_somewhere(name: str) -> None:
    for target in LINK.findall(text(name)):
        path, _, anchor = target.partition("#")
        found = (Path(name).parent / path) if path else Path(name)
        assert (ROOT / found).exists(), target
        if anchor:
            assert anchor in anchors((ROOT / found).read_text()), target


def anchors(guide: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", guide, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings} | set(
        re.findall(r'<a id="([^"]+)">', guide)
    )


@pytest.mark.parametrize("name", GUIDES)
def test_every_setting_that_is_named_is_one(name: str) -> None:
    known = set(re.findall(r"^#?([A-Z_]+)=", text(".env.sample"), re.MULTILINE))
    assert load_environment({})
    named = set(re.findall(r"\bTURNLOG_[A-Z_]+\b", text(name)))
    assert sorted(item for item in named if item not in known and item.removesuffix("_FILE") not in known) == []
