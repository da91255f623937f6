"""Whatever a client changes between its turns, what is planned and what is known already make up every body."""

from __future__ import annotations

import datetime
import uuid
from itertools import groupby

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.names import Dialect
from gateway.dialects.part_marks import Edit, restore
from gateway.dialects.request_facts import read_members
from gateway.dialects.request_parts import Unsplit, join
from gateway.history.manifests import decode_marks, decode_skeleton
from gateway.history.planning import Manifest, NewBlob, NewNode, NewPage, Planner, read_entries
from tests.gateway.dialects.json_texts import MESSAGES

MONTH = datetime.date(2026, 11, 1)


class Memory:
    """The three tables as dictionaries, and a loader's memory of them."""

    def __init__(self) -> None:
        self.planner = Planner()
        self.blobs: dict[bytes, NewBlob] = {}
        self.pages: dict[bytes, NewPage] = {}
        self.nodes: dict[bytes, NewNode] = {}

    def put(self, body: bytes) -> Manifest | Unsplit:
        plan = self.planner.begin(uuid.UUID(int=1), MONTH, "")
        found = plan.request(Dialect.ANTHROPIC, body, read_members(body))
        added = plan.additions
        self.blobs |= added.blobs
        self.pages |= added.pages
        self.nodes |= added.nodes
        scope = self.planner.known.scope((MONTH, ""))
        for digest, blob in added.blobs.items():
            scope.add(digest, blob.part)
        for digest in (*added.pages, *added.nodes):
            scope.add(digest)
        return found

    def get(self, manifest: Manifest) -> bytes:
        literals, runs = decode_skeleton(self.blobs[manifest.skeleton].data)
        marks = decode_marks(manifest.marks) if manifest.marks else []
        edits = {
            number: [Edit(offset, text) for _, offset, text in group]
            for number, group in groupby(marks, key=lambda mark: mark[0])
        }
        lists, number = [], 0
        for head, tail, (_, gaps) in zip(manifest.heads, manifest.tails, runs, strict=True):
            digests = read_entries(self.full(head) + tail)
            lists.append(
                ([restore(self.blobs[d].data, edits.get(at, ())) for at, d in enumerate(digests, number)], gaps)
            )
            number += len(digests)
        return join(literals, lists)

    def full(self, head: bytes | None) -> bytes:
        if head is None:
            return b""
        page = self.pages[head]
        return self.full(page.previous) + page.entries

    def depth(self, leaf: bytes | None) -> int:
        count = 0
        while leaf is not None:
            leaf = self.nodes[leaf].parent
            count += 1
        return count


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 4), st.lists(MESSAGES, max_size=4), st.booleans()), max_size=8
    )
)
@settings(max_examples=80)
def test_any_edits_between_turns_come_back(turns: list[tuple[int, int, list[bytes], bool]]) -> None:
    """Each turn cuts some messages out of the conversation, puts others there, and goes on."""
    memory = Memory()
    said: list[bytes] = [b'{"role":"user","content":"begin"}']
    for at, cut, new, spaced in turns:
        said[at : at + cut] = new
        gap = b", " if spaced else b","
        body = b'{"model":"m","system":"s","messages":[' + gap.join(said) + b'],"stream":true}'
        found = memory.put(body)
        if isinstance(found, Manifest):
            assert memory.get(found) == body
            assert memory.depth(found.messages_leaf) == len(said) or not said
            assert memory.depth(found.prefix_leaf) == 1


def test_two_hundred_turns_add_a_constant_number_of_rows_each() -> None:
    memory = Memory()
    said: list[bytes] = []
    sizes = []
    for turn in range(200):
        said += [b'{"role":"user","content":"%d"}' % turn, b'{"role":"assistant","content":"%d"}' % turn]
        found = memory.put(b'{"messages":[' + b",".join(said) + b"]}")
        assert isinstance(found, Manifest)
        sizes.append(len(memory.blobs) + len(memory.nodes) + len(memory.pages))
    assert sizes[-1] - sizes[99] == 100 * 4 + 25
