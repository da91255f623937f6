"""Masks over the stored copy: what they point to is gone, and nothing else has changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.masking import Unmaskable, mask, read_pointer

USER_ID = json.dumps({"device_id": "d3v1ce" * 8, "account_uuid": "", "n": 17, "session_id": "s-1"})
BODY = json.dumps(
    {
        "model": "claude-opus-5-5",
        "messages": [{"role": "user", "content": "hi", "n": 7}, {"role": "user", "content": [{"text": "there"}]}],
        "metadata": {"user_id": USER_ID},
        "safeguards": [{"cwd": "/projects/atlas/work"}],
        "n": 1,
        "é": "accent",
    },
    ensure_ascii=False,
).encode()

MASKED: dict[str, tuple[str, list[str], list[str]]] = {
    "a member": ("/safeguards", ["/projects/atlas"], ["d3v1ce", "there"]),
    "with dots": ("safeguards", ["/projects/atlas"], ["d3v1ce"]),
    "inside a string that holds JSON": (
        "metadata.user_id.device_id",
        ["d3v1ce"],
        ["session_id", "s-1", "/projects/atlas"],
    ),
    "every element": ("/messages/*/content", ["hi", "there"], ["user", "d3v1ce"]),
    "one element": ("/messages/1/content/0/text", ["there"], ["hi"]),
    "every member": ("/metadata/*", ["d3v1ce", "s-1"], ["hi"]),
    "a key that is no ASCII": ("/é", ["accent"], ["hi"]),
    "what is not there": ("/nothing/at/all", [], ["hi", "d3v1ce", "/projects/atlas"]),
}


@pytest.mark.parametrize(("pointer", "gone", "there"), MASKED.values(), ids=MASKED)
def test_what_is_pointed_to_is_gone_and_the_rest_stays(pointer: str, gone: list[str], there: list[str]) -> None:
    masked = mask(BODY, (read_pointer(pointer),))
    assert len(masked) == len(BODY)
    text = masked.decode()
    assert not [word for word in gone if word in text]
    assert all(word in text for word in there)
    json.loads(json.loads(text)["metadata"]["user_id"]) if "metadata" not in pointer or "device" in pointer else None


def test_numbers_and_lists_become_what_is_as_long() -> None:
    masked = json.loads(mask(b'{"n": 7, "m": 1234, "l": [1, 2], "t": true}', (("n",), ("m",), ("l",), ("t",))))
    assert masked == {"n": 1, "m": "**", "l": "****", "t": "**"}
    inner = json.dumps({"u": json.dumps({"n": 1234, "é": "x", "t": 'a"b'})}).encode()
    found = json.loads(json.loads(mask(inner, (("u", "n"), ("u", "t"))))["u"])
    assert found["n"] == 1111
    assert set(found["t"]) == {"*"}
    assert found["é"] == "x"


def test_a_key_written_with_escapes_is_found_and_one_said_twice_is_masked_twice() -> None:
    assert b"secret" not in mask(b'{"safe\\u0067uards": "secret", "safeguards": "secret"}', (("safeguards",),))


@pytest.mark.parametrize("body", [b"", b"{", b'{"a": 1', b'{"a": 1}}', b"plain", b'{"a": "\\ud800"}', b'{"a": NaN}'])
def test_what_cannot_be_read_to_its_end_is_not_passed_for_masked(body: bytes) -> None:
    with pytest.raises(Unmaskable):
        mask(body, (("a",),))


@pytest.mark.parametrize("text", ["", "/", "a..b", "/a//b", "/a" * 40])
def test_a_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no place"):
        read_pointer(text)


KEYS = st.sampled_from(["a", "b", "é", 'q"'])
LEAVES = st.one_of(st.integers(), st.booleans(), st.none(), st.text(max_size=6), st.just("canary"))
VALUES = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)), max_leaves=8
)


def reached(value: Any, pointer: tuple[str, ...]) -> list[Any]:
    found = [value]
    for step in pointer:
        inner: list[Any] = []
        for outer in found:
            if isinstance(outer, dict):
                inner += [child for key, child in outer.items() if step in ("*", key)]
            elif isinstance(outer, list):
                inner += [child for number, child in enumerate(outer) if step in ("*", str(number))]
        found = inner
    return found


@given(
    st.dictionaries(KEYS, VALUES, max_size=3),
    st.lists(st.sampled_from(["*", "a", "b", "é", "0"]), min_size=1, max_size=3),
)
def test_any_body_keeps_its_length_and_its_validity_and_loses_what_is_masked(value: Any, steps: list[str]) -> None:
    body = json.dumps(value).encode()
    masked = mask(body, (tuple(steps),))
    assert len(masked) == len(body)
    after = reached(json.loads(masked), tuple(steps))
    assert len(after) == len(reached(value, tuple(steps)))
    assert all(set(str(found)) <= {"*", "1"} for found in after)
