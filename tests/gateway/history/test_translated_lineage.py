"""Conversations whose answers are translated: an answer is kept as its caller has it, and the next turn finds it."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from gateway.dialects.answer import Finished, Started, Stop, StopReason, TextDelta, Usage
from gateway.dialects.codecs import CODECS
from gateway.dialects.names import Dialect
from gateway.dialects.profiles import DEFAULT_PROFILE
from gateway.dialects.turn import Message, Request, Role, Text
from gateway.history.conversation.loading import load_around
from gateway.history.conversation.turns import new_messages
from gateway.history.lineage import parts_of
from gateway.history.manifests import read_blobs
from gateway.models import RequestLog
from gateway.recording.records import Translated
from tests.exchanges import Sample, keep_one

pytestmark = pytest.mark.django_db
SAID = "It is sunny. ☀"
PATHS = {
    Dialect.ANTHROPIC: "/v1/messages",
    Dialect.CHAT: "/v1/chat/completions",
    Dialect.RESPONSES: "/v1/responses",
}
RESENT: dict[Dialect, Any] = {
    Dialect.ANTHROPIC: {"role": "assistant", "content": [{"type": "text", "text": SAID}]},
    Dialect.CHAT: {"role": "assistant", "content": SAID},
    Dialect.RESPONSES: {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": SAID, "annotations": []}],
    },
}
DIRECTIONS = list(itertools.permutations(PATHS, 2))


def body(dialect: Dialect, *messages: Any, stream: bool) -> bytes:
    name = "input" if dialect is Dialect.RESPONSES else "messages"
    asked = {"model": "m", "max_tokens": 64, "stream": stream, name: list(messages)}
    return json.dumps(asked, ensure_ascii=False, separators=(",", ":")).encode()


def resent(caller: Dialect, *, stream: bool) -> Any:
    """The answer as a client sends it back: a whole completion's message has a member more than a stream's."""
    return RESENT[caller] | ({"refusal": None} if caller is Dialect.CHAT and not stream else {})


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def answer(provider: Dialect) -> bytes:
    """The provider's stream, in its own dialect."""
    encoder = CODECS[provider].encode_stream(Request("m", (Message(Role.USER, (Text("weather?"),)),), stream=True))
    last = Finished(Stop(StopReason.END), Usage(20, 5))
    return encoder.encode([Started("a1", "m"), TextDelta(SAID[:5]), TextDelta(SAID[5:]), last])


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("caller", "provider"), DIRECTIONS, ids=lambda dialect: dialect.value)
def test_the_next_turn_sends_back_the_answer_that_was_kept(caller: Dialect, provider: Dialect, stream: bool) -> None:
    how = Translated(provider.value, DEFAULT_PROFILE.name)
    sends_back = resent(caller, stream=stream)
    bodies = [
        body(caller, user("weather?"), stream=stream),
        body(caller, user("weather?"), sends_back, user("and now?"), stream=stream),
    ]
    ids = [
        keep_one(Sample(sent, [answer(provider)], dialect=caller, path=PATHS[caller], translated=how))
        for sent in bodies
    ]
    first, second = (parts_of(id) for id in ids)
    assert first.messages_leaf == second.parts[0].node

    row = RequestLog.objects.select_related("response").get(id=ids[0])
    kept = bytes(row.response.reply or b"")
    message = json.loads(read_blobs(ids[0], first.scope, [kept])[kept])
    if caller is Dialect.RESPONSES:  # its reply is a list of items, whose ids a client may keep
        [message] = message
        message = {name: message[name] for name in RESENT[caller]}
        message["content"] = [
            {name: part[name] for name in ("type", "text", "annotations")} for part in message["content"]
        ]
    else:
        assert kept in [part.blob for part in second.parts]
    assert message == sends_back

    turns = load_around(ids[1]).turns
    assert turns[1].parent is turns[0]
    assert [part.blob for part in new_messages(turns[1])] == [second.parts[-1].blob]
