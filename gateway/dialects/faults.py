"""A provider's errors, read whatever their shape: status, kind, and one message that says what to do.

The message keeps the provider's own sentence, because clients and people look for it. Where Claude Code would recover
by Anthropic's wording, that wording comes first: a context that is too long for the model, or a field it does not take.
"""

from __future__ import annotations

import re
from typing import Any, Final

from gateway.dialects.accumulated import read_error
from gateway.dialects.answer import Failed
from gateway.dialects.failures import ErrorKind
from gateway.dialects.json_values import JSONObject, NotJSONError, is_object, object_or_none, read_json, text_or_none

SHOWN_CHARACTERS: Final = 200

_BY_STATUS: Final = {
    401: ErrorKind.AUTHENTICATION,
    402: ErrorKind.BILLING,
    403: ErrorKind.PERMISSION,
    404: ErrorKind.NOT_FOUND,
    408: ErrorKind.TIMEOUT,
    413: ErrorKind.TOO_LARGE,
    429: ErrorKind.RATE_LIMIT,
    503: ErrorKind.UNAVAILABLE,
    504: ErrorKind.TIMEOUT,
    529: ErrorKind.OVERLOADED,
}
# Types and codes that providers give their errors, for those that say more than the status, or come without one.
_BY_NAME: Final = {
    "insufficient_quota": ErrorKind.BILLING,
    "billing_error": ErrorKind.BILLING,
    "billing_hard_limit_reached": ErrorKind.BILLING,
    "insufficient_balance": ErrorKind.BILLING,
    "rate_limit_error": ErrorKind.RATE_LIMIT,
    "rate_limit_exceeded": ErrorKind.RATE_LIMIT,
    "overloaded_error": ErrorKind.OVERLOADED,
    "overloaded": ErrorKind.OVERLOADED,
    "engine_overloaded": ErrorKind.OVERLOADED,
    "authentication_error": ErrorKind.AUTHENTICATION,
    "invalid_api_key": ErrorKind.AUTHENTICATION,
    "permission_error": ErrorKind.PERMISSION,
    "not_found_error": ErrorKind.NOT_FOUND,
    "model_not_found": ErrorKind.NOT_FOUND,
    "request_too_large": ErrorKind.TOO_LARGE,
    "timeout_error": ErrorKind.TIMEOUT,
    "context_length_exceeded": ErrorKind.CONTEXT_LENGTH,
    "exceed_context_size_error": ErrorKind.CONTEXT_LENGTH,
    "invalid_request_error": ErrorKind.INVALID_REQUEST,
    "invalid_prompt": ErrorKind.INVALID_REQUEST,
}
# How engines say that a request is too long. `sum` is input and output together.
_NUMBER: Final = r"[~ ]?(?P<{}>\d[\d,]*)"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"<(\w+)>", lambda name: _NUMBER.format(name[1]), text), re.IGNORECASE | re.DOTALL)


_TOO_LONG: Final = [
    _pattern(text)
    for text in (
        # vLLM, when only max_tokens is too large
        r"is too large:<output>.{0,20}maximum context length is <limit> tokens and your request has<input>",
        # OpenAI, vLLM, DeepSeek, OpenRouter, Together
        r"maximum context length is <limit> tokens.{0,40}?requested (?:about)?<sum> tokens \(<input>[^,)]*,<output>",
        r"maximum context length is <limit> tokens.{0,60}?(?:resulted in|requested|contains?|has)(?: about| at least)?"
        r"<input>(?: input)? tokens",
        # SGLang, and what stood in chutes.ai's first answers
        r"maximum context length of<limit> tokens.{0,60}total of<sum> tokens:<input> tokens.{0,40}?and<output> tokens",
        r"total of<sum> tokens.{0,80}maximum context length of<limit>",
        r"input \(<input> tokens\) is longer than the model's context length \(<limit>",
        r"prompt \(length<input>\) is longer than the maximum model length of<limit>",
        # llama.cpp, llama-cpp-python, Gemini, Cerebras, Anthropic
        r"request \(<input> tokens\) exceeds the available context size \(<limit>",
        r"requested tokens \(<input>\) exceed context window of<limit>",
        r"input token count \(<input>\) exceeds the maximum number of tokens allowed \(<limit>",
        r"current length is<input> while limit is<limit>",
        # tinygrad
        r"prompt has<input> tokens,? but the (?:model )?context (?:length |size |window )?is<limit>",
        r"prompt is too long:<input> tokens ><limit> maximum",
    )
]
_TOO_LONG_UNCOUNTED: Final = re.compile(
    r"context[ _](?:length|window|size)[^.]{0,40}exceed|exceed[^.]{0,40}context[ _](?:length|window|size)|"
    r"prompt is too long|input is too long|reduce the length of the messages",
    re.IGNORECASE,
)
_BALANCE: Final = re.compile(r"insufficient.{0,20}(?:balance|quota|credit|funds)|out of credits", re.IGNORECASE)
_OVERLOADED: Final = re.compile(r"overload|at capacity|no healthy upstream|slow down", re.IGNORECASE)
_UNKNOWN_FIELD: Final = re.compile(
    r"(?:unrecognized request argument supplied:|unsupported parameter:|unknown (?:parameter|field|name):?) "
    r"['\"]?(?P<field>[\w.\[\]]+)",
    re.IGNORECASE,
)
# What a field of the target's was called by a caller of Messages.
_CALLED: Final = {
    "reasoning_effort": "output_config.effort",
    "reasoning.effort": "output_config.effort",
    "reasoning": "thinking",
    "enable_thinking": "thinking",
    "response_format": "output_config.format",
    "text.format": "output_config.format",
}
_ADVICE: Final = {
    ErrorKind.CONTEXT_LENGTH: "Shorten the conversation (/compact) or use a model with a larger context.",
    ErrorKind.RATE_LIMIT: "Wait as long as retry-after says, or use another model.",
    ErrorKind.BILLING: "The account at the provider has no quota or balance left; ask whoever runs this gateway.",
    ErrorKind.AUTHENTICATION: "The provider did not take the credential this gateway has for it.",
}


def read_fault(status: int, content_type: str, body: bytes) -> Failed:
    """An answer with an error status. `body` is without content coding."""
    payload = _object(body)
    if payload is None:
        return Failed(_kind(status, ()), describe_page(status, content_type, body), status)
    return _classify(payload, status)


def read_failure(payload: JSONObject) -> Failed:
    """An error that came where an answer was due: in a 200, or as an event of a stream. `payload` holds it under
    `error`, or is the error itself."""
    error = object_or_none(payload.get("error")) or payload
    codes = (error.get("code"), error.get("status"), error.get("status_code"), payload.get("status"))
    status = next((code for code in map(_whole, codes) if code is not None and 400 <= code < 600), None)
    return _classify(payload, status)


def describe_page(status: int, content_type: str, body: bytes) -> str:
    """What to say of an answer that is no JSON: its content type and how it begins."""
    text = " ".join(body[: 4 * SHOWN_CHARACTERS].decode("utf-8", "replace").split())[:SHOWN_CHARACTERS]
    kind = content_type.partition(";")[0].strip() or "no content type"
    begins = f"It begins: {text}" if text else "It is empty."
    return f"The provider answered {status} with {kind} instead of JSON. {begins}"


def _object(body: bytes) -> JSONObject | None:
    try:
        value = read_json(body).value
    except NotJSONError:
        return None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]  # Google's endpoint wraps its errors in a list
    return value if is_object(value) else None


def _classify(payload: JSONObject, status: int | None) -> Failed:
    _, message = read_error(payload)
    error = object_or_none(payload.get("error")) or payload
    names = [text for key in ("code", "type", "status") if (text := text_or_none(error.get(key)))]
    sentence = (
        message or text_or_none(payload.get("detail")) or text_or_none(payload.get("message")) or _nested(payload)
    )
    kind = _kind(status, names)
    if kind is not ErrorKind.BILLING and _BALANCE.search(sentence):
        kind = ErrorKind.BILLING
    if kind in (ErrorKind.UNAVAILABLE, ErrorKind.API_ERROR) and _OVERLOADED.search(sentence):
        kind = ErrorKind.OVERLOADED
    if kind in (ErrorKind.CONTEXT_LENGTH, ErrorKind.INVALID_REQUEST, ErrorKind.TOO_LARGE, ErrorKind.API_ERROR):
        if (recovery := too_long(sentence, error, known=kind is ErrorKind.CONTEXT_LENGTH)) is not None:
            return Failed(ErrorKind.CONTEXT_LENGTH, recovery, 400 if status in (None, 500) else status)
        if (field := _UNKNOWN_FIELD.search(sentence)) is not None:
            name = field["field"].rstrip(".")
            sentence = f"{_CALLED.get(name, name)}: Extra inputs are not permitted. {sentence}"
    return Failed(kind, _advise(sentence, kind), status)


def _nested(payload: JSONObject) -> str:
    """An error in no known shape: FastAPI's lists of details, or bare fields."""
    detail = payload.get("detail", payload)
    messages = [text_or_none(item.get("msg")) for item in detail if is_object(item)] if isinstance(detail, list) else []
    said = "; ".join(message for message in messages if message)
    return said or f"The provider gave no reason but {str(detail)[:SHOWN_CHARACTERS]}"


def _kind(status: int | None, names: Any) -> ErrorKind:
    named = next((_BY_NAME[name.lower()] for name in names if name.lower() in _BY_NAME), None)
    by_status = _BY_STATUS.get(status or 0)
    if named is not None and (by_status is None or named is not ErrorKind.INVALID_REQUEST):
        return named
    if by_status is not None:
        return by_status
    return ErrorKind.INVALID_REQUEST if status is not None and 400 <= status < 500 else ErrorKind.API_ERROR


def _advise(sentence: str, kind: ErrorKind) -> str:
    advice = _ADVICE.get(kind)
    if advice is None:
        return sentence
    return f"{sentence}{'' if sentence.endswith(('.', '!', '?')) else '.'} {advice}"


def too_long(sentence: str, error: JSONObject, *, known: bool) -> str | None:
    """The sentence by which Claude Code makes room, before the provider's own; None when it is about something else.
    `known`: the error's code has said already that it is about the context."""
    found = next((match for pattern in _TOO_LONG if (match := pattern.search(sentence))), None)
    said = {key: int(value.replace(",", "")) for key, value in found.groupdict().items()} if found else {}
    prompt = said.get("input") or _whole(error.get("n_prompt_tokens")) or said.get("sum")
    limit = said.get("limit") or _whole(error.get("n_ctx"))
    if prompt is None or limit is None:
        if not known and _TOO_LONG_UNCOUNTED.search(sentence) is None:
            return None
        return _advise(f"prompt is too long. {sentence}", ErrorKind.CONTEXT_LENGTH)
    output = said.get("output", 0)
    if prompt <= limit and output:
        words = f"input length and `max_tokens` exceed context limit: {prompt} + {output} > {limit}"
        return f"{words}, decrease input length or `max_tokens` and try again. {sentence}"
    words = f"prompt is too long: {prompt} tokens > {limit} maximum"
    return _advise(words if sentence.startswith(words) else f"{words}. {sentence}", ErrorKind.CONTEXT_LENGTH)


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
