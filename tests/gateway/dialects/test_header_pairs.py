"""A header and its half of the body: what breaks when one is changed alone."""

from __future__ import annotations

import pytest

from gateway.dialects.header_pairs import broken_pairs, needs_body

BETAS = b"context-management-2025-06-27,effort-2025-11-24,claude-code-20250219"
BODY = b'{"model":"m","context_management":{"edits":[]},"output_config":{"effort":"high"},"messages":[]}'


def change(before: bytes, after: bytes, body: bytes | None = BODY) -> list[str]:
    return broken_pairs({b"anthropic-beta": [before]}, {b"anthropic-beta": [after]} if after else {}, body)


def test_a_beta_that_goes_while_its_field_stays_breaks_the_pair() -> None:
    found = change(BETAS, b"effort-2025-11-24,claude-code-20250219")
    assert found == ["context-management-2025-06-27 goes, and its field context_management stays in the body"]


def test_all_of_them_are_named() -> None:
    found = change(BETAS, b"")
    assert [words.split()[0] for words in found] == ["context-management-2025-06-27", "effort-2025-11-24"]


HARMLESS = {
    "one without a half": (BETAS, BETAS.replace(b",claude-code-20250219", b""), BODY),
    "the field is not there": (BETAS, b"", b'{"model":"m"}'),
    "the field is empty": (b"mcp-client-2025-11-20", b"", b'{"mcp_servers":[]}'),
    "the field is inside a text": (
        b"advanced-tool-use-2025-11-20", b"", b'{"tools":[{"description":"say \\"defer_loading\\": true"}]}',
    ),
    "another order": (b"a-1,effort-2025-11-24", b"effort-2025-11-24, a-1", BODY),
    "one more": (b"a-1", b"a-1,effort-2025-11-24", BODY),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "body"), HARMLESS.values(), ids=HARMLESS)
def test_what_does_not_part_a_pair_is_not_told(before: bytes, after: bytes, body: bytes) -> None:
    assert change(before, after, body) == []


def test_fields_of_tools_and_messages_count() -> None:
    tools = b'{"tools":[{"name":"a","defer_loading":true}]}'
    assert change(b"advanced-tool-use-2025-11-20", b"", tools)
    assert change(b"per-turn-control-2026-07-01", b"", b'{"messages":[{"role":"system","output_config":{}}]}')


def test_without_the_body_it_says_that_it_cannot_see() -> None:
    assert "cannot be seen" in change(BETAS, b"", None)[0]


def test_what_is_silently_off_is_told() -> None:
    assert "401" in change(b"oauth-2025-04-20", b"", b"{}")[0]
    assert "silently" in change(b"context-1m-2025-08-07", b"", b"{}")[0]


def test_headers_that_say_how_a_body_is_read() -> None:
    before = {b"content-type": [b"application/json"], b"anthropic-version": [b"2023-06-01"]}
    assert len(broken_pairs(before, {b"content-type": [b"text/plain"]}, BODY)) == 2
    assert broken_pairs(before, before, BODY) == []
    assert not needs_body(before, {})
