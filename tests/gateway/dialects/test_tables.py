"""A dialect that is translated has a row in every table: where one is missing, the loader cannot read its exchanges."""

from __future__ import annotations

from collections.abc import Container

import pytest

from gateway.api.translating import PATHS
from gateway.dialects import accumulate, capabilities, demotion, errors, request_parts
from gateway.dialects.codecs import CODECS
from gateway.dialects.names import Dialect
from gateway.history import transcript
from gateway.policy.surfaces import dialect_of
from tests.gateway.dialects.test_translation import GRAMMARS

TABLES: dict[str, Container[Dialect]] = {
    "gateway/dialects/errors.py": errors._ENCODERS,
    "gateway/dialects/accumulate.py": accumulate._READERS,
    "gateway/dialects/request_parts.py": request_parts._KINDS,
    "gateway/dialects/capabilities.py": capabilities._MESSAGES,
    "gateway/dialects/capabilities.py, tools": capabilities._PLAIN_TOOL,
    "gateway/dialects/demotion.py": demotion._FOLDS,
    "gateway/dialects/demotion.py, what is inserted": demotion._INSERTED,
    "gateway/history/transcript": transcript.READERS,
    "gateway/api/translating.py": PATHS,
    "tests: GRAMMARS of test_translation.py": GRAMMARS,
}


@pytest.mark.parametrize("dialect", CODECS, ids=str)
@pytest.mark.parametrize("table", TABLES)
def test_every_dialect_has_its_row(table: str, dialect: Dialect) -> None:
    assert dialect in TABLES[table], f"{table} says nothing of {dialect}"


@pytest.mark.parametrize("dialect", CODECS, ids=str)
def test_its_path_is_known_to_be_its_own(dialect: Dialect) -> None:
    assert dialect_of(PATHS[dialect], []) is dialect
