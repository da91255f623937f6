"""Random turns through every codec and every direction: what several dialects can say survives, whoever says it."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.answer import Answer, Failed, Finished, StreamEvent
from gateway.dialects.codecs import CODECS
from gateway.dialects.folding import fold, unfold
from gateway.dialects.names import Dialect
from gateway.dialects.profiles import PROFILES
from gateway.dialects.turn import Image, Message, Request, Role, Text, Thinking, ToolCall, ToolResult
from tests.gateway.dialects.streams import decode
from tests.gateway.dialects.test_translation import GRAMMARS
from tests.gateway.dialects.turns import answers, requests

TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
PROFILE = PROFILES["openai"]
replace = msgspec.structs.replace
DIALECTS = list(CODECS)


def normal(request: Request) -> Request:
    """What stands for the same: instructions apart or in front, one turn or several of one side, JSON by its value."""
    system = [normal_part(part) for part in request.system]
    messages: list[Message] = []
    for message in request.messages:
        content = tuple(normal_part(part) for part in message.content)
        if message.role in (Role.SYSTEM, Role.DEVELOPER) and not messages:
            system += content
        elif messages and messages[-1].role is message.role:
            messages[-1] = Message(message.role, messages[-1].content + content)
        else:
            messages.append(Message(message.role, content))
    tools = tuple(
        replace(tool, schema=value_of(tool.schema), strict=None, cache=None)  # type: ignore[union-attr]
        for tool in request.tools
    )
    told = "\n\n".join(part.text for part in system)
    neutral = replace(request, system=(Text(told),) if told else (), messages=tuple(messages), tools=tools)
    return replace(neutral, system_plain=False, store=None, dialect=None, include_usage=None)


def sayable(request: Request, *dialects: Dialect) -> Request:
    """Responses has no stop sequences."""
    if Dialect.RESPONSES in dialects:
        return replace(request, sampling=replace(request.sampling, stop=()))
    return request


def normal_part(part: Any) -> Any:
    if isinstance(part, ToolCall):
        return replace(part, arguments=value_of(part.arguments), item="", cache=None)
    if isinstance(part, Image):
        return replace(part, detail="", cache=None)
    if isinstance(part, ToolResult):
        return replace(part, content=tuple(normal_part(inner) for inner in part.content), cache=None)
    return replace(part, cache=None)


def value_of(text: str) -> str:
    return json.dumps(json.loads(text or "{}"), sort_keys=True)


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=25)
@given(request_=requests())
def test_a_request_said_and_read_again_is_the_same(dialect: Dialect, request_: Request) -> None:
    request_ = sayable(request_, dialect)
    codec = CODECS[dialect]
    encoded = codec.encode_request(replace(request_, dialect=dialect), PROFILE)
    assert encoded.losses == ()
    assert normal(codec.decode_request(encoded.body)) == normal(request_)


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("source", DIALECTS)
@settings(max_examples=12)
@given(request_=requests())
def test_a_request_carried_to_another_dialect_says_the_same(
    source: Dialect, target: Dialect, request_: Request
) -> None:
    request_ = sayable(request_, source, target)
    body = CODECS[source].encode_request(replace(request_, dialect=source), PROFILE).body
    read = CODECS[source].decode_request(body)
    carried = CODECS[target].encode_request(read, PROFILE)
    assert normal(CODECS[target].decode_request(carried.body)) == normal(request_)


@given(answer=answers())
def test_an_answer_told_as_events_folds_into_itself(answer: Answer) -> None:
    assert fold(unfold(answer)) == answer


def told(answer: Answer | Any) -> tuple[Any, Any, Any]:
    """What an answer says, in whatever pieces: thoughts, words, calls; why it stopped; what it used."""
    thoughts = "".join(part.text for part in answer.content if isinstance(part, Thinking))
    words = "".join(part.text for part in answer.content if isinstance(part, Text))
    calls = [(part.id, part.name, value_of(part.arguments)) for part in answer.content if isinstance(part, ToolCall)]
    used = [getattr(answer.usage, name) or 0 for name in TOKENS]  # Responses has no way to leave one out
    return (thoughts, words, calls), answer.stop, used


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=25)
@given(answer=answers())
def test_a_whole_answer_said_and_read_again_is_the_same(dialect: Dialect, answer: Answer) -> None:
    request = Request("the-model", (), tag="t")
    codec = CODECS[dialect]
    assert told(codec.decode_answer(codec.encode_answer(answer, request), request, PROFILE)) == told(answer)


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=25)
@given(answer=answers(), size=st.integers(1, 200))
def test_a_stream_said_cut_and_read_again_is_the_same_and_keeps_its_grammar(
    dialect: Dialect, answer: Answer, size: int
) -> None:
    request = Request("the-model", (), stream=True, include_usage=True, tag="t")
    codec = CODECS[dialect]
    stream = codec.encode_stream(request).encode(unfold(answer))
    assert GRAMMARS[dialect].violations(decode(stream)) == []
    decoder = codec.decode_stream(request, PROFILE)
    events: list[StreamEvent] = []
    for start in range(0, len(stream), size):
        events += decoder.feed(stream[start : start + size])
    assert told(fold(events + decoder.finish())) == told(answer)


@pytest.mark.parametrize("caller", DIALECTS)
@pytest.mark.parametrize("provider", DIALECTS)
@settings(max_examples=15)
@given(answer=answers())
def test_a_stream_carried_to_another_dialect_says_the_same_and_keeps_its_grammar(
    provider: Dialect, caller: Dialect, answer: Answer
) -> None:
    request = Request("the-model", (), stream=True, include_usage=True, tag="t")
    source = CODECS[provider].decode_stream(request, PROFILE)
    events = source.feed(CODECS[provider].encode_stream(request).encode(unfold(answer))) + source.finish()
    stream = CODECS[caller].encode_stream(request).encode(events)
    assert GRAMMARS[caller].violations(decode(stream)) == []
    target = CODECS[caller].decode_stream(request, PROFILE)
    assert told(fold(target.feed(stream) + target.finish())) == told(answer)


@settings(max_examples=50)
@given(answer=answers(), chosen=st.randoms(use_true_random=False))
def test_blocks_that_a_messages_server_leaves_open_at_once_are_told_one_after_the_other(
    answer: Answer, chosen: Random
) -> None:
    codec = CODECS[Dialect.ANTHROPIC]
    request = Request("the-model", (), stream=True, tag="t")
    head, *blocks, end, stop = in_blocks(codec.encode_stream(request).encode(unfold(answer)))
    mixed = [block.pop(0) for block in blocks]  # they begin in their order, and go on in any
    while left := [block for block in blocks if block]:
        mixed.append(chosen.choice(left).pop(0))
    decoder = codec.decode_stream(request, PROFILE)
    events = decoder.feed(b"".join([*head, *mixed, *end, *stop])) + decoder.finish()
    assert told(fold(events)) == told(answer)
    assert GRAMMARS[Dialect.ANTHROPIC].violations(decode(codec.encode_stream(request).encode(events))) == []


def in_blocks(stream: bytes) -> list[list[bytes]]:
    """The events of a Messages stream, those of one block in one list."""
    found: dict[Any, list[bytes]] = {}
    for event in stream.split(b"\n\n")[:-1]:
        payload = json.loads(event.partition(b"data: ")[2])
        found.setdefault(payload.get("index", payload["type"]), []).append(event + b"\n\n")
    return list(found.values())


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=50)
@given(
    noise=st.lists(st.binary(max_size=60) | st.sampled_from([b"data: {}\n\n", b"data: [DONE]\n\n", b"\r\n", b"\n\n"]))
)
def test_noise_has_one_end_and_raises_nothing(dialect: Dialect, noise: list[bytes]) -> None:
    decoder = CODECS[dialect].decode_stream(Request("m", ()), PROFILE)
    events: list[StreamEvent] = []
    for piece in noise:
        events += decoder.feed(piece)
    events += decoder.finish()
    assert [event for event in events if isinstance(event, (Finished, Failed))] == events[-1:]
