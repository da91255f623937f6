"""What of an error message varies, and that taking it out leaves something that can be relied on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.queries.error_template import LONG, LONGEST, template_of

HEX, DEEP = "0123456789abcdef", "/srv/billing/releases/current/src/models/invoice.py"
SIGNS = "'\"`…#@/\\._-:, \n"
WORDS = ("it's", "ada", "s", "ms", "7", "1.5", "1m2s", "req_01AbCdEf", "é", "٣", HEX)
PLACES = ("://", "ada@example.com", "https://example.com", DEEP, "x" * (LONG + 1))
POSSESSED = "it's what users' clients don't know of each other's way"


@pytest.mark.parametrize(
    ("message", "template"),
    [
        ("Overloaded", "Overloaded"),
        ("", ""),
        ("prompt is too long: 208310 tokens > 200000 maximum", "prompt is too long: # tokens > # maximum"),
        ("1,024 of 2.5 at 10.0.3.4:443", "# of # at #"),
        ("Please try again in 1m2.5s.", "Please try again in #."),
        ("Please try again in 340ms.", "Please try again in #."),
        ("messages.3.content.0.text: Field required", "messages.#.content.#.text: Field required"),
        ("for 6f1d2c1e-58a1-4f0e-9d0b-2f7f3a6f5b11 alone", "for # alone"),
        ("(request_id: req_011CSHoEeqs5C35K2UUqR7Fy)", "(request_id: req_#)"),
        ("after toolu_01c3e1b258fd724452, in org-7d21b0c4e9f1", "after toolu_#, in org-#"),
        (f"commit {HEX} and deadbeef", "commit # and #"),
        ("a face, a facade", "a face, a facade"),
        ("12345678 and 1234567 alike", "# and # alike"),
        ("ask ada.l+x@mail.example.com for it", "ask … for it"),
        ("'model' is not known", "'model' is not known"),
        (f"no such thing: {'word ' * 8!r}, nor `{'x' * 40}`", "no such thing: '…', nor `…`"),
        (POSSESSED, POSSESSED),
        (f"{DEEP}: no such file", "/…: no such file"),
        ("C:\\Users\\ada\\work\\billing\\src\\invoice.py", "C:\\…"),
        ("POST /v1/messages/count_tokens", "POST /v#/messages/count_tokens"),
        ("See https://example.com/docs/api/rate-limits/of/all-plans. Ask.", "See https://example.com/…. Ask."),
        ("two\n  lines", "two lines"),
    ],
)  # fmt: skip
def test_what_varies_is_taken_out(message: str, template: str) -> None:
    assert template_of(message) == template


def test_a_template_is_short_however_long_the_message() -> None:
    assert template_of("a word " * 100_000) == ("a word " * 100)[: LONGEST - 1] + "…"


messages = st.text() | st.lists(st.sampled_from((*SIGNS, *WORDS, *PLACES)) | st.text(max_size=3), max_size=40).map(
    "".join
)


@given(messages)
def test_no_message_grows_or_fails_and_a_template_is_its_own(message: str) -> None:
    template = template_of(message)
    assert len(template) <= len(message)
    assert template_of(template) == template
