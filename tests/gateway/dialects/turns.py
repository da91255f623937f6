"""Random turns for hypothesis: requests and answers in their normal form, of what several dialects can say."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from gateway.dialects.answer import Answer, Stop, StopReason, Usage
from gateway.dialects.turn import (
    ByURL,
    Image,
    Inline,
    Message,
    Part,
    Request,
    Role,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

words = st.text(st.characters(codec="utf-8", exclude_characters="<"), min_size=1, max_size=40).filter(str.strip)
names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_-]{0,20}", fullmatch=True)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=4,
)
objects = st.dictionaries(st.text(max_size=8), values, min_size=1, max_size=4).map(
    lambda value: json.dumps(value, ensure_ascii=False)
)
texts = st.builds(Text, words)
images = st.builds(
    Image,
    st.builds(Inline, st.sampled_from(["image/png", "image/jpeg"]), st.binary(min_size=3, max_size=9).map(bytes.hex))
    | st.builds(ByURL, names.map("https://images.example/{}.png".format)),
)
schemas = st.dictionaries(names, st.sampled_from(["string", "number", "boolean"]), max_size=3).map(
    lambda fields: json.dumps({"type": "object", "properties": {name: {"type": kind} for name, kind in fields.items()}})
)
tools = st.lists(st.builds(Tool, names, words, schemas), max_size=3, unique_by=lambda tool: tool.name).map(tuple)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    """User and assistant in turn; every call is answered in the next turn, results first."""
    messages = [Message(Role.USER, (draw(texts), *draw(st.lists(images | texts, min_size=1, max_size=2))))]
    for turn in range(draw(st.integers(0, 2))):
        calls = draw(st.lists(st.builds(ToolCall, st.just(""), names, objects), max_size=2))
        calls = [ToolCall(f"call_{turn}_{number}", call.name, call.arguments) for number, call in enumerate(calls)]
        said: tuple[Part, ...] = (draw(texts),) if not calls or draw(st.booleans()) else ()
        messages.append(Message(Role.ASSISTANT, (*said, *calls)))
        results = [ToolResult(call.id, (draw(texts),)) for call in calls]
        asked = [] if results and draw(st.booleans()) else [draw(texts), draw(texts)]
        messages.append(Message(Role.USER, (*results, *asked)))
    return tuple(messages)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    offered = draw(tools)
    choice = draw(st.sampled_from([None, ToolChoice("auto"), ToolChoice("required"), ToolChoice("none")]))
    if offered and draw(st.booleans()):
        choice = ToolChoice("tool", offered[0].name)
    return Request(
        model=draw(names),
        messages=draw(conversations()),
        system=(draw(texts), draw(texts)) if draw(st.booleans()) else (),
        tools=offered,
        tool_choice=choice if offered else None,
        parallel_tool_calls=draw(st.sampled_from([None, False]))
        if offered and choice and choice.mode == "auto"
        else None,
        max_tokens=draw(st.integers(16, 100_000)),
        stream=draw(st.booleans()),
        sampling=Sampling(
            temperature=draw(st.none() | st.floats(0, 1)),
            stop=tuple(draw(st.lists(words, max_size=3))),
        ),
    )


usages = st.builds(
    Usage,
    st.integers(0, 10**6),
    st.integers(1, 10**6),
    st.none() | st.integers(0, 10**6),
    st.none() | st.integers(0, 10**6),
    st.none() | st.integers(0, 10**6),
)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    thought = [Thinking(draw(words))] if draw(st.booleans()) else []
    said = [draw(texts)] if draw(st.booleans()) else []
    made = draw(st.lists(st.builds(ToolCall, st.just(""), names, objects), max_size=3))
    calls = [ToolCall(f"call_{number}", call.name, call.arguments) for number, call in enumerate(made)]
    ended = StopReason.TOOL_CALLS if calls else draw(st.sampled_from([StopReason.END, StopReason.MAX_TOKENS]))
    content: list[Part] = [*thought, *said, *calls]
    return Answer("msg_1", "the-model", tuple(content or [draw(texts)]), Stop(ended), draw(usages))
