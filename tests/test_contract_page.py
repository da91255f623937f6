"""`docs/contract.md` names a test for each clause; this one sees to it that they are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| (?!clause|---)(?P<clause>[^|]+)\|[^|]+\| (?P<tests>[^|]+)\|$", re.MULTILINE)


def test_every_clause_of_the_contract_has_a_test_that_exists() -> None:
    defined = set(re.findall(r"def (test_\w+)", "".join(path.read_text() for path in ROOT.glob("tests/**/*.py"))))
    rows = [(row["clause"], re.findall(r"`(test_\w+)`", row["tests"])) for row in ROW.finditer(page())]
    assert len(rows) > 20
    assert {clause: set(tests) - defined for clause, tests in rows if not tests or set(tests) - defined} == {}


def page() -> str:
    return (ROOT / "docs" / "contract.md").read_text()
