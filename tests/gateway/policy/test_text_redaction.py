"""What is taken out of texts that leave the house, and what is left in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.text_redaction import TextRedactor

HOME, USERS = "/home", "/Users"
KEY = "sk-ant-" + "api03-abcDEF123456789"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"the key is {KEY}.", "the key is [key]"),
        ("export GH=ghp_abcdefgh12345678 now", "export GH=[key] now"),
        ("Authorization: Bearer abcdef123456", "Authorization: [key]"),
        ('DB_PASSWORD = "hunter2!"', 'DB_PASSWORD = "[password]"'),
        ("'api_key': 'not-a-known-shape'", "'api_key': '[password]'"),
        ("MY_SECRET=correct-horse", "MY_SECRET=[password]"),
        ("postgresql://app:hunter2@db.internal/x", "postgresql://app:[password]@db.internal/x"),
        ("mail ada@example.com, please", "mail [e-mail], please"),
        (f"{HOME}/ada/src/a.py and {USERS}/bob/x", f"{HOME}/[user]/src/a.py and {USERS}/[user]/x"),
        (r"C:\Users\Eve\x and C:\\Users\\Eve\\x", r"C:\Users\[user]\x and C:\\Users\\[user]\\x"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----\nafter",
            "[key]\nafter",
        ),
        ("-----BEGIN PRIVATE KEY-----\nMIIE and it is cut", "[key]"),
        ("run Xk29fjQ0aLq82mZpR5tYwB7nVcD3sE6uHgJ1 it", "run [key] it"),
    ],
)
def test_secrets_and_people_are_taken_out(text: str, expected: str) -> None:
    redactor = TextRedactor()
    assert redactor.text(text) == expected
    assert redactor.replaced >= 1


@pytest.mark.parametrize(
    "text",
    [
        "def token_count(tokens: int) -> int: ...",
        "commit 3f2a9c1e5b7d8f0a1c2e4b6d8f0a2c4e6b8d0f1a",
        "request 01a1fd55-7a80-7000-8000-00000000000d took 3 s",
        "the password was wrong",
        "a ratio of 3:4 @ 5 pm",
        "tests/gateway/history/test_store.py::test_every_part",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    redactor = TextRedactor()
    assert redactor.text(text) == text
    assert redactor.replaced == 0


def test_further_names_are_taken_out_in_any_case() -> None:
    redactor = TextRedactor(["Acme Corp", ""])
    assert redactor.text("for ACME CORP and Acme corp.") == "for [redacted] and [redacted]."
    assert redactor.replaced == 2


@given(st.text(max_size=300))
def test_what_is_redacted_once_is_left_alone(text: str) -> None:
    once = TextRedactor().text(text)
    assert TextRedactor().text(once) == once
