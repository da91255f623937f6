"""The official SDKs read the same bytes as we do, over a real socket, and come to the same message."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anthropic
import openai
import pytest

from gateway.dialects.errors import encode_error, encode_stream_error, status_of
from gateway.dialects.failures import ErrorKind
from gateway.dialects.names import Dialect
from tests.gateway.dialects.anthropic.test_stream import (
    CITATIONS,
    PING,
    RESULT,
    START,
    STOP,
    end,
    grow,
    start_block,
    stop_block,
    text,
    tool,
)
from tests.gateway.dialects.chat.test_stream import USAGE, call, chunk
from tests.gateway.dialects.streams import chunks, named, read
from tests.transcripts.captured import Exchange, streams


class Script:
    """What the server answers with next."""

    status, content_type, body = 200, "text/event-stream", b""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script = Script()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(self.script.status)
        self.send_header("content-type", self.script.content_type)
        self.send_header("content-length", str(len(self.script.body)))
        self.end_headers()
        self.wfile.write(self.script.body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def claude(address: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=address, api_key="k", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def gpt(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=address + "/v1", api_key="k", max_retries=0) as client:
        yield client


def answer_with(body: bytes, status: int = 200, content_type: str = "text/event-stream") -> None:
    Handler.script.status, Handler.script.content_type, Handler.script.body = status, content_type, body


def agree(ours: Any, theirs: Any) -> None:
    """Everything we say, the SDK says too. It adds fields of its own, and leaves out what it has no type for."""
    if isinstance(ours, dict):
        assert isinstance(theirs, dict)
        for key in ours:
            agree(ours[key], theirs[key])
    elif isinstance(ours, list):
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            agree(mine, other)
    else:
        assert ours == theirs


def ask_claude(claude: anthropic.Anthropic, body: bytes) -> dict[str, Any]:
    answer_with(body)
    question: Any = {"role": "user", "content": "hi"}
    with claude.beta.messages.stream(model="m", max_tokens=9, messages=[question]) as stream:
        return stream.get_final_message().to_dict()


MESSAGES = {stream.name: stream.response_body for stream in streams() if stream.dialect is Dialect.ANTHROPIC} | {
    "text": named(START, *text(0, "Hel", "lo"), PING, end(output_tokens=5), STOP),
    "tools": named(START, *tool(0, '{"a":', "1}"), *tool(1, id="toolu_2"), end("tool_use", output_tokens=5), STOP),
    "thinking, redacted thinking and text": named(
        START,
        start_block(0, type="thinking", thinking="", signature=""),
        grow(0, "thinking_delta", thinking="hm"),
        grow(0, "thinking_delta", thinking="m"),
        grow(0, "signature_delta", signature="c2ln"),
        stop_block(0),
        start_block(1, type="redacted_thinking", data="b3BhcXVl"),
        stop_block(1),
        *text(2, "a"),
        end("max_tokens", output_tokens=5, output_tokens_details={"thinking_tokens": 3}),
        STOP,
    ),
    "a server tool, its result and citations": named(
        START,
        *tool(0, '{"query":"x"}', type="server_tool_use", id="srvtoolu_1", name="web_search"),
        start_block(1, **RESULT),
        stop_block(1),
        start_block(2, type="text", text=""),
        *(grow(2, "citations_delta", citation=citation) for citation in CITATIONS),
        grow(2, "text_delta", text="x"),
        stop_block(2),
        end(output_tokens=5, server_tool_use={"web_search_requests": 1}),
        STOP,
    ),
    "a compaction": named(
        START,
        start_block(0, type="compaction", content=None),
        grow(0, "compaction_delta", content="summary", encrypted_content="e"),
        stop_block(0),
        end("compaction", output_tokens=5, iterations=[{"type": "compaction", "input_tokens": 1, "output_tokens": 2}]),
        STOP,
    ),
    "a fallback": named(
        START,
        start_block(0, type="fallback", **{"from": {"model": "claude-x"}, "to": {"model": "claude-y"}}),
        stop_block(0),
        *text(1, "a"),
        end(output_tokens=5, input_tokens=None),
        STOP,
    ),
}


@pytest.mark.parametrize("body", MESSAGES.values(), ids=MESSAGES)
def test_anthropics_sdk_comes_to_the_same_message(claude: anthropic.Anthropic, body: bytes) -> None:
    ours = read(Dialect.ANTHROPIC, body)
    assert ours.message is not None
    agree(ours.message, ask_claude(claude, body))


COMPLETIONS = {
    "text": chunks(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "Hel"}),
        chunk({"content": "lo"}),
        chunk({}, "stop"),
        chunk(usage=USAGE) | {"choices": []},
    ),
    "tools": chunks(
        chunk({"role": "assistant", "content": None} | call(0, "c1", "f", "")),
        chunk(call(0, arguments='{"a"')),
        chunk(call(0, arguments=":1}")),
        chunk(call(1, "c2", "g", "{}")),
        chunk({}, "tool_calls"),
    ),
    "a refusal in one of two choices": chunks(
        chunk({"role": "assistant", "content": "a"}, index=0),
        chunk({"role": "assistant", "content": None, "refusal": "no"}, index=1),
        chunk({}, "stop", index=0),
        chunk({}, "content_filter", index=1),
    ),
}


@pytest.mark.parametrize("body", COMPLETIONS.values(), ids=COMPLETIONS)
def test_openais_sdk_comes_to_the_same_completion(gpt: openai.OpenAI, body: bytes) -> None:
    answer_with(body)
    ours = read(Dialect.CHAT, body)
    with gpt.chat.completions.stream(model="m", messages=[{"role": "user", "content": "hi"}]) as stream:
        stream.until_done()
        snapshot = stream.current_completion_snapshot.to_dict()
    assert ours.message is not None
    agree(_without_nulls(ours.message), snapshot)


def _without_nulls(value: Any) -> Any:
    """The SDK's snapshot leaves out what was never said."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


CODEX = [stream for stream in streams() if stream.dialect is Dialect.RESPONSES]


@pytest.mark.parametrize("captured", CODEX, ids=str)
def test_openais_sdk_comes_to_the_same_response(gpt: openai.OpenAI, captured: Exchange) -> None:
    answer_with(captured.response_body)
    ours = read(Dialect.RESPONSES, captured.response_body)
    with gpt.responses.stream(model="m", input="hi") as stream:
        theirs = stream.get_final_response().to_dict()
    assert ours.message is not None
    agree(ours.message["output"], theirs["output"])
    agree(ours.usage, theirs["usage"])
    assert (theirs["id"], theirs["status"]) == (ours.message["id"], ours.stop_reason)


TYPED = {
    ErrorKind.INVALID_REQUEST: (anthropic.BadRequestError, openai.BadRequestError),
    ErrorKind.AUTHENTICATION: (anthropic.AuthenticationError, openai.AuthenticationError),
    ErrorKind.PERMISSION: (anthropic.PermissionDeniedError, openai.PermissionDeniedError),
    ErrorKind.NOT_FOUND: (anthropic.NotFoundError, openai.NotFoundError),
    ErrorKind.TOO_LARGE: (anthropic.APIStatusError, openai.APIStatusError),
    ErrorKind.RATE_LIMIT: (anthropic.RateLimitError, openai.RateLimitError),
    ErrorKind.BILLING: (anthropic.RateLimitError, openai.RateLimitError),
    ErrorKind.OVERLOADED: (anthropic.APIStatusError, openai.InternalServerError),
    ErrorKind.API_ERROR: (anthropic.InternalServerError, openai.InternalServerError),
}


@pytest.mark.parametrize("kind", TYPED)
def test_the_sdks_know_our_refusals(claude: anthropic.Anthropic, gpt: openai.OpenAI, kind: ErrorKind) -> None:
    for dialect, client, expected in (
        (Dialect.ANTHROPIC, claude, TYPED[kind][0]),
        (Dialect.CHAT, gpt, TYPED[kind][1]),
    ):
        body = encode_error(dialect, kind, "do this next", "req_1")
        answer_with(body, status_of(dialect, kind), "application/json")
        with pytest.raises(expected, match="do this next") as caught:
            ask_plainly(client)
        known: Any = caught.value
        assert known.status_code == status_of(dialect, kind)
        told = known.body if dialect is Dialect.ANTHROPIC else {"error": known.body}
        assert told == json.loads(body)


def ask_plainly(client: anthropic.Anthropic | openai.OpenAI) -> None:
    question: Any = {"role": "user", "content": "hi"}
    if isinstance(client, anthropic.Anthropic):
        client.messages.create(model="m", max_tokens=9, messages=[question])
    else:
        client.chat.completions.create(model="m", messages=[question])


def test_the_sdks_raise_on_our_stream_errors(claude: anthropic.Anthropic, gpt: openai.OpenAI) -> None:
    begun = named(START, start_block(0, type="text", text=""))
    with pytest.raises(anthropic.APIStatusError, match="went away"):
        ask_claude(claude, begun + encode_stream_error(Dialect.ANTHROPIC, ErrorKind.API_ERROR, "it went away", "r"))
    begun = chunks(chunk({"content": "a"}), done=False)
    answer_with(begun + encode_stream_error(Dialect.CHAT, ErrorKind.API_ERROR, "it went away", "r"))
    with pytest.raises(openai.APIError, match="went away"):
        list(gpt.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=True))


def test_the_responses_sdk_sees_our_stream_error_as_an_event(gpt: openai.OpenAI) -> None:
    answer_with(encode_stream_error(Dialect.RESPONSES, ErrorKind.TIMEOUT, "it went away", "r"))
    (event,) = list(gpt.responses.create(model="m", input="hi", stream=True))
    assert event.type == "error"
    assert (event.message, event.code) == ("it went away", "timeout")
