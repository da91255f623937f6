"""The response object: what it says of itself, what it repeats of the request, and the ids of what is in it."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

import msgspec

from gateway.dialects.answer import Failed, Stop, Usage
from gateway.dialects.failures import FAILURES
from gateway.dialects.foreign_tools import ForeignTools
from gateway.dialects.json_values import JSONObject
from gateway.dialects.names import Dialect
from gateway.dialects.profile import Profile
from gateway.dialects.responses.tools import encode_choice, encode_tools
from gateway.dialects.responses.usage import write_usage
from gateway.dialects.seals import wrap
from gateway.dialects.stops import STOPS
from gateway.dialects.turn import Request, Seal, Text

_PREFIX: Final = "resp_"
_ECHO_PROFILE: Final = Profile("echo", strict_tools=True)
_PREFIXES: Final = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "custom_tool_call": "ctc",
    "local_shell_call": "lsh",
    "shell_call": "sh",
    "apply_patch_call": "apc",
    "compaction": "cmp",
}
COMPACTION: Final = "compaction"
_UUID: Final = re.compile(r"[0-9a-f]{32}")


class ResponseObject:
    """One response as it comes about, under the model's name the caller knows. Its id is made of the request's tag: a
    provider's own is not always unique, and callers come back with it."""

    def __init__(self, request: Request, answer_id: str, model: str, created: int) -> None:
        self.id = response_id(request.tag or answer_id)
        self._created = created or seconds_of(request.tag)
        self._model = request.model or model
        self._request = request
        self.tools = ForeignTools(request.tools)
        self._echo = _echo(request)

    def item_id(self, kind: str, index: int) -> str:
        return f"{_PREFIXES.get(kind, 'item')}_{self.id.removeprefix(_PREFIX)}{index:02d}"

    def begun(self) -> JSONObject:
        return self._with("in_progress", [], None)

    def finished(self, stop: Stop, output: list[Any], usage: Usage) -> JSONObject:
        reason = STOPS[stop.reason].incomplete
        if reason is None:
            return self._with("completed", output, usage)
        return self._with("incomplete", output, usage) | {"incomplete_details": {"reason": reason}}

    def failed(self, failed: Failed, output: list[Any]) -> JSONObject:
        failure = FAILURES[failed.kind]
        code = failure.openai_code or failure.openai_type
        return self._with("failed", output, None) | {"error": {"code": code, "message": failed.message}}

    def window(self, text: str, usage: Usage) -> JSONObject:
        """What `/v1/responses/compact` answers."""
        return {
            "id": self.id,
            "object": "response.compaction",
            "created_at": self._created,
            "output": [compaction(text, self.item_id(COMPACTION, 0))],
            "usage": write_usage(usage),
        }

    def _with(self, status: str, output: list[Any], usage: Usage | None) -> JSONObject:
        tier = usage.service_tier if usage is not None and usage.service_tier else self._request.service_tier
        return {
            "id": self.id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "model": self._model,
            "output": output,
            **self._echo,
            "service_tier": tier or "default",
            "usage": write_usage(usage) if usage is not None else None,
        }


def response_id(answer_id: str) -> str:
    """An id of this API's shape made of any other: of a UUID its digits."""
    bare = answer_id.replace("-", "")
    if not _UUID.fullmatch(bare):
        bare = hashlib.sha256(answer_id.encode("utf-8", "replace")).hexdigest()[:32]
    return _PREFIX + bare


def seconds_of(tag: str) -> int:
    """The Unix time in a UUIDv7; 0 when it is none."""
    bare = tag.replace("-", "")
    return int(bare[:12], 16) // 1000 if _UUID.fullmatch(bare) and bare[12] == "7" else 0


def compaction(text: str, item: str) -> JSONObject:
    """The item that stands for a conversation: opaque to the client, the summary to us."""
    return {"id": item, "type": COMPACTION, "encrypted_content": wrap(Seal(Dialect.RESPONSES, text, COMPACTION))}


def _echo(request: Request) -> JSONObject:
    """What a response repeats of its request."""
    reasoning, form = request.reasoning, request.output_format
    text: JSONObject = {"format": {"type": "text"}}
    if form is not None and form.kind == "json_schema":
        schema = msgspec.Raw(form.schema.encode())
        text["format"] = {"type": "json_schema", "name": form.name, "schema": schema, "strict": form.strict}
    elif form is not None and form.kind == "json":
        text["format"] = {"type": "json_object"}
    if request.verbosity:
        text["verbosity"] = request.verbosity
    return {
        "instructions": "\n\n".join(p.text for p in request.system if isinstance(p, Text)) or None,
        "max_output_tokens": request.max_tokens,
        "metadata": dict(request.metadata),
        "parallel_tool_calls": request.parallel_tool_calls is not False,
        "previous_response_id": request.previous_response or None,
        "prompt_cache_key": request.cache_key or None,
        "reasoning": {
            "effort": reasoning.effort or None if reasoning else None,
            "summary": reasoning.summary or None if reasoning else None,
        },
        "safety_identifier": request.user or None,
        "store": request.store is not False,
        "temperature": request.sampling.temperature,
        "text": text,
        "tool_choice": encode_choice(request.tool_choice) if request.tool_choice else "auto",
        "tools": encode_tools(request.tools, _ECHO_PROFILE, []),
        "top_p": request.sampling.top_p,
        "truncation": "disabled",
    }
