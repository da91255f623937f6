"""JSON as anybody may write it: odd spacing, escapes, doubled keys, big numbers, deep nesting, broken UTF-8."""

from __future__ import annotations

import json

from hypothesis import strategies as st

SPACES = st.sampled_from([b"", b"", b"", b" ", b"\n  ", b"\t", b"\r\n"])
ODD_STRINGS = st.sampled_from(
    [
        b'"\\ud83d"',
        b'"\\u0000"',
        b'"\xff\xfe"',
        '"\u2028\u2029\ufeff"'.encode(),
        b'"\\"cache_control\\":{\\"type\\":\\"ephemeral\\"}"',
        b'"\\\\"',
        b'"cc_version=2.1.3.abc;"',
        b'"messages"',
        b'"]}{["',
    ]
)
STRINGS = (
    st.text(max_size=12).map(lambda text: json.dumps(text, ensure_ascii=len(text) % 2 == 0).encode()) | ODD_STRINGS
)
KEYS = st.sampled_from(
    [b'"type"', b'"text"', b'"content"', b'"role"', b'"messages"', b'"system"', b'"a"', b'"\\u0061"']
)
NUMBERS = st.sampled_from([b"0", b"-1.50e+10", b"1.0", b"1", b"123456789012345678901234567890", b"1e999", b"NaN"])
PLAIN = STRINGS | NUMBERS | st.sampled_from([b"true", b"false", b"null", b"[]", b"{}"])
MARKS = st.sampled_from(
    [b'"cache_control":{"type":"ephemeral"}', b'"cache_control" : null', b'"cache_control":{"a":{}}']
)


@st.composite
def lists(draw: st.DrawFn, items: st.SearchStrategy[bytes], most: int = 4) -> bytes:
    gap = draw(SPACES) + b"," + draw(SPACES)
    inside = gap.join(draw(st.lists(items, max_size=most)))
    return b"[" + draw(SPACES) + inside + draw(SPACES) + b"]"


@st.composite
def objects(draw: st.DrawFn, values: st.SearchStrategy[bytes]) -> bytes:
    members = [
        draw(MARKS) if draw(st.integers(0, 5)) == 0 else key + draw(SPACES) + b":" + draw(SPACES) + value
        for key, value in draw(st.lists(st.tuples(KEYS, values), max_size=4))
    ]
    return b"{" + draw(SPACES) + (draw(SPACES) + b"," + draw(SPACES)).join(members) + draw(SPACES) + b"}"


VALUES = st.recursive(PLAIN, lambda inner: lists(inner) | objects(inner), max_leaves=8)
DEEP = st.sampled_from([b"[" * 1500 + b"]" * 1500, b'{"a":' * 400 + b"1" + b"}" * 400])
BLOCKS = st.sampled_from(
    [
        b'{"type":"text","text":"hi"}',
        b'{"type":"text","text":"hi","cache_control":{"type":"ephemeral","ttl":"1h"}}',
        b'{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"x"}],"is_error":false}',
    ]
)
MESSAGES = st.one_of(
    objects(VALUES),
    st.builds(lambda block: b'{"role":"user","content":[' + block + b"]}", BLOCKS),
    st.builds(lambda text: b'{"role":"user","content":' + text + b"}", STRINGS),
)
LISTED = [b'"messages"', b'"tools"', b'"system"', b'"input"', b'"instructions"', b'"functions"']
MEMBERS = st.one_of(st.tuples(st.sampled_from(LISTED), lists(MESSAGES, 6) | VALUES), st.tuples(KEYS, VALUES | DEEP))


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    members = [
        key + draw(SPACES) + b":" + draw(SPACES) + value
        for key, value in draw(st.lists(MEMBERS, min_size=1, max_size=5))
    ]
    return b"{" + draw(SPACES) + (draw(SPACES) + b",").join(members) + b"}" + draw(SPACES)
