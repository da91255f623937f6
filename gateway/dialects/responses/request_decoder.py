"""A request of the Responses API as a neutral one."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.dialects.names import Dialect
from gateway.dialects.pairing import pair_calls
from gateway.dialects.raw_object import RawObject, read_object
from gateway.dialects.responses.compaction import TRIGGER, ask_for_summary
from gateway.dialects.responses.input_items import decode_items
from gateway.dialects.responses.parts import decode_content
from gateway.dialects.responses.tools import decode_choice, decode_tools
from gateway.dialects.turn import (
    Extras,
    Message,
    OutputFormat,
    Reasoning,
    Refused,
    Request,
    Role,
    Sampling,
    Text,
)

ENCRYPTED: Final = "reasoning.encrypted_content"
_KNOWN: Final = frozenset(
    {
        "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "max_output_tokens", "stream",
        "temperature", "top_p", "reasoning", "text", "include", "store", "previous_response_id", "metadata",
        "prompt_cache_key", "service_tier", "safety_identifier", "user", "stream_options", "background", "prompt",
        "conversation", "client_metadata",
    }
)  # fmt: skip
_KNOWN_IN_REASONING: Final = frozenset({"effort", "summary", "generate_summary"})
_NOT_KEPT: Final = {
    "background": "Answers in the background are not possible when a request is translated. Leave it out.",
    "prompt": "Prompts kept by OpenAI are not known here. Send the instructions and the input themselves.",
    "conversation": "Conversations kept by OpenAI are not known here. Send the input itself, or previous_response_id.",
}


def decode_request(body: bytes) -> Request:
    """Raises Refused."""
    read = read_object(body)
    model = read.text("model")
    if not model:
        raise Refused("model is needed.", "model")
    refuse_unkept(read)
    items = read.children("input") if read.kind_of("input") == "[" else []
    request = _decode(read, model, items)
    asked = any(item.text("type") == TRIGGER for item in items)
    return ask_for_summary(request, "item") if asked else request


def _decode(read: RawObject, model: str, items: list[RawObject]) -> Request:
    system, plain = decode_content(read, "instructions")
    text = read.child("text")
    return Request(
        model=model,
        messages=_messages(read, items),
        system=system if read.has("instructions") else (),
        system_plain=plain and read.has("instructions"),
        tools=decode_tools(read, items),
        tool_choice=decode_choice(read),
        parallel_tool_calls=read.flag("parallel_tool_calls"),
        max_tokens=read.integer("max_output_tokens"),
        stream=bool(read.flag("stream")),
        sampling=Sampling(temperature=read.number("temperature"), top_p=read.number("top_p")),
        reasoning=_reasoning(read),
        output_format=_output_format(text),
        verbosity=text.text("verbosity") if text is not None else "",
        cache_key=read.text("prompt_cache_key"),
        user=read.text("safety_identifier") or read.text("user"),
        metadata=_metadata(read),
        service_tier=read.text("service_tier"),
        store=read.flag("store"),
        previous_response=read.text("previous_response_id"),
        dialect=Dialect.RESPONSES,
        extras=_extras(read),
    )


def _extras(read: RawObject) -> Extras:
    """Members nobody here knows, and of those that are known what asks for something out of the ordinary."""
    known = _KNOWN | {"truncation"} if read.text("truncation") == "disabled" else _KNOWN
    wanted = [wish for wish in read.texts("include") if wish != ENCRYPTED]
    included = (("include", msgspec.json.encode(wanted).decode()),) if wanted else ()
    return read.extras(known) + included


def refuse_unkept(read: RawObject) -> None:
    """Raises Refused for what only OpenAI's own servers can do."""
    for name, message in _NOT_KEPT.items():
        if read.has(name) and read.json(name) != "false":
            raise Refused(message, name)


def _messages(read: RawObject, items: list[RawObject]) -> tuple[Message, ...]:
    if read.kind_of("input") == '"':
        return (Message(Role.USER, (Text(read.text("input")),), plain=True),)
    if not read.has("input"):
        raise Refused("input is needed: a string, or a list of items.", "input")
    if read.kind_of("input") != "[":
        raise Refused("input must be a string or a list of items.", "input")
    if not items and not read.has("instructions"):
        raise Refused("input is empty: at least one item is needed.", "input")
    return pair_calls(decode_items(items))


def _reasoning(read: RawObject) -> Reasoning | None:
    child = read.child("reasoning")
    encrypted = ENCRYPTED in read.texts("include")
    if child is None:
        return Reasoning(encrypted=True) if encrypted else None
    return Reasoning(
        effort=child.text("effort"),
        summary=child.text("summary") or child.text("generate_summary"),
        encrypted=encrypted,
        extras=child.extras(_KNOWN_IN_REASONING),
    )


def _output_format(text: RawObject | None) -> OutputFormat | None:
    form = text.child("format") if text is not None else None
    if form is None:
        return None
    kind = form.text("type")
    if kind == "json_schema":
        # Chat Completions nests what is flat here; some clients send it so.
        form = form.child("json_schema") or form
        if not form.has("schema"):
            raise Refused(f"{form.path} needs a schema.", form.at("schema"))
        return OutputFormat(
            "json_schema", form.json("schema"), form.text("name"), form.text("description"), form.flag("strict")
        )
    if kind == "json_object":
        return OutputFormat("json")
    return OutputFormat("text") if kind == "text" else None


def _metadata(read: RawObject) -> tuple[tuple[str, str], ...]:
    child = read.child("metadata")
    return tuple((name, child.text(name)) for name in child.members) if child is not None else ()
