"""Which answer a healthy provider gives to a request. One process speaks both dialects; the path decides."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.upstream import chat_api, messages_api, responses_api
from tests.upstream.content import content_for
from tests.upstream.messages_api import Pairs, dump


@dataclass
class Answer:
    """A whole answer, not yet framed. `events` (each with its blank line) when it is a stream, else `body`."""

    status: int
    headers: Pairs
    body: bytes = b""
    events: list[bytes] | None = None

    def whole(self) -> bytes:
        return self.body if self.events is None else b"".join(self.events)


@dataclass
class Asked:
    """What the answers need to know of a request."""

    method: str
    path: str
    header_names: set[str]
    body: bytes
    number: int
    kind: str
    params: dict[str, str]

    def json(self) -> dict[str, Any]:
        try:
            value = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def is_anthropic(self) -> bool:
        own = ("/v1/messages", "/v1/files", "/v1/complete", "/v1/organizations", "/api/")
        return self.path.startswith(own) or bool(self.header_names & {"anthropic-version", "x-api-key"})

    @property
    def request_id(self) -> str:
        return f"req_011C{self.number:020d}" if self.is_anthropic else f"req_{self.number:032d}"


def answer_to(asked: Asked) -> Answer:
    if asked.method == "HEAD":
        return Answer(200, common_headers(asked))
    make = ROUTES.get((asked.method, asked.path)) or prefix_route(asked)
    return make(asked) if make else error_answer(asked, 404, f"no such path: {asked.path}")


def prefix_route(asked: Asked) -> Any:
    for method, prefix, make in PREFIXES:
        if asked.method in (method, "DELETE") and asked.path.startswith(prefix):
            return make
    return None


def common_headers(asked: Asked) -> Pairs:
    return messages_api.headers(asked.request_id) if asked.is_anthropic else chat_api.headers(asked.request_id)


def json_answer(asked: Asked, payload: Any, status: int = 200) -> Answer:
    return Answer(status, [(b"Content-Type", b"application/json"), *common_headers(asked)], dump(payload))


def stream_answer(asked: Asked, events: list[bytes]) -> Answer:
    content_type = (b"Content-Type", b"text/event-stream; charset=utf-8")
    return Answer(200, [content_type, (b"Cache-Control", b"no-cache"), *common_headers(asked)], events=events)


def error_answer(asked: Asked, status: int, text: str | None = None) -> Answer:
    if asked.is_anthropic:
        return json_answer(asked, messages_api.error_payload(status, text, asked.request_id), status)
    return json_answer(asked, chat_api.error_payload(status, text), status)


def messages(asked: Asked) -> Answer:
    body = asked.json()
    content = content_for(body, len(asked.body), asked.kind, asked.params)
    model = body.get("model", "claude-opus-5-5")
    if body.get("stream"):
        return stream_answer(asked, messages_api.stream(content, model, asked.number))
    return json_answer(asked, messages_api.message(content, model, asked.number))


def count_tokens(asked: Asked) -> Answer:
    return json_answer(asked, {"input_tokens": max(1, len(asked.body) // 4)})


def chat_completions(asked: Asked) -> Answer:
    body = asked.json()
    content = content_for(body, len(asked.body), asked.kind, asked.params)
    model = body.get("model", "gpt-5.5")
    if body.get("stream"):
        wanted = bool((body.get("stream_options") or {}).get("include_usage"))
        return stream_answer(asked, chat_api.stream(content, model, asked.number, include_usage=wanted))
    return json_answer(asked, chat_api.completion(content, model, asked.number))


def responses(asked: Asked) -> Answer:
    body = asked.json()
    content = content_for(body, len(asked.body), asked.kind, asked.params)
    if body.get("stream"):
        return stream_answer(asked, responses_api.stream(content, body, asked.number))
    return json_answer(asked, responses_api.response(content, body, asked.number))


def stored_response(asked: Asked) -> Answer:
    content = content_for({}, 4, asked.kind, asked.params)
    return json_answer(asked, responses_api.response(content, {}, asked.number))


def embeddings(asked: Asked) -> Answer:
    return json_answer(asked, chat_api.embeddings(asked.json().get("model", "embed"), len(asked.body)))


def models(asked: Asked) -> Answer:
    return json_answer(asked, messages_api.models() if asked.is_anthropic else chat_api.models())


def batches(asked: Asked) -> Answer:
    if asked.method == "GET" and asked.path == "/v1/messages/batches":
        page = {"data": [messages_api.batch(asked.number)], "has_more": False, "first_id": None, "last_id": None}
        return json_answer(asked, page)
    return json_answer(asked, messages_api.batch(asked.number))


def files(asked: Asked) -> Answer:
    if asked.method == "GET" and asked.path == "/v1/files":
        page = {"data": [messages_api.file(asked.number, 0)], "has_more": False, "first_id": None, "last_id": None}
        return json_answer(asked, page)
    return json_answer(asked, messages_api.file(asked.number, len(asked.body)))


ROUTES = {
    ("POST", "/v1/messages"): messages,
    ("POST", "/v1/messages/count_tokens"): count_tokens,
    ("POST", "/v1/chat/completions"): chat_completions,
    ("POST", "/v1/responses"): responses,
    ("POST", "/v1/embeddings"): embeddings,
    ("GET", "/v1/models"): models,
}
PREFIXES = [
    ("GET", "/v1/messages/batches", batches),
    ("POST", "/v1/messages/batches", batches),
    ("GET", "/v1/files", files),
    ("POST", "/v1/files", files),
    ("GET", "/v1/models/", models),
    ("GET", "/v1/responses/", stored_response),
    ("POST", "/v1/responses/", stored_response),
]
