"""Chat Completions' chunks folded into the completion that the non-streaming API would have given.

Many servers speak this dialect loosely, so the fold takes a whole `message` for a `delta`, tool calls without an index
or with the same index twice, names that come late, and usage on any chunk, also on one without choices.
"""

from __future__ import annotations

from typing import Any, Final

from gateway.dialects.accumulated import Accumulated, StreamFold, merge, read_error
from gateway.dialects.json_values import JSONObject, object_or_none, objects_of, text_or_none

# Of the text fields of a message or call these are said once, not piece by piece. A late name may come in pieces.
_SAID_ONCE: Final = frozenset({"role", "type", "id", "format", "signature"})
_NOT_FOLDED: Final = frozenset({"choices", "usage", "object", "obfuscation", "error"})


class _Pieces:
    """An object that grows: texts by concatenation, joined once at the end, lists by entry, objects in turn."""

    def __init__(self) -> None:
        self.value: JSONObject = {}
        self._texts: dict[str, list[str]] = {}
        self._objects: dict[str, _Pieces] = {}

    def grow(self, delta: JSONObject) -> None:
        for key, value in delta.items():
            if isinstance(value, str) and key not in _SAID_ONCE:
                self._grow_text(key, value)
            elif isinstance(value, dict):
                self._objects.setdefault(key, _Pieces()).grow(value)
                self.value.setdefault(key, None)
            elif isinstance(value, list) and isinstance(self.value.get(key), list):
                self.value[key].extend(value)
            elif isinstance(value, list):
                self.value[key] = list(value)
            elif value not in (None, "") or key not in self.value:
                self.value[key] = value

    def _grow_text(self, key: str, text: str) -> None:
        parts = self._texts.setdefault(key, [])
        # Some servers repeat a call's whole name in every chunk, others send it in pieces.
        if key != "name" or parts != [text]:
            parts.append(text)
        self.value.setdefault(key, None)

    def finish(self) -> JSONObject:
        for key, parts in self._texts.items():
            self.value[key] = "".join(parts)
        for key, pieces in self._objects.items():
            self.value[key] = pieces.finish()
        return self.value


class _Calls:
    """The tool calls of one choice, in the order they were first seen."""

    def __init__(self) -> None:
        self._all: list[_Pieces] = []
        self._by_index: dict[Any, _Pieces] = {}

    def grow(self, call: JSONObject) -> bool:
        """Take in a fragment. False when its index was used again for another call."""
        index, call_id = call.get("index"), text_or_none(call.get("id")) or None
        known = self._find(index if isinstance(index, int) else None, call_id)
        reused = known is not None and bool(call_id) and known.value.get("id") not in (None, "", call_id)
        if known is None or reused:
            known = _Pieces()
            self._all.append(known)
        if isinstance(index, int):
            self._by_index[index] = known
        known.grow({key: value for key, value in call.items() if key != "index"})
        return not reused

    def _find(self, index: int | None, call_id: str | None) -> _Pieces | None:
        if index is not None:
            return self._by_index.get(index)
        if call_id is None:
            return self._all[-1] if self._all else None
        return next((call for call in self._all if call.value.get("id") == call_id), None)

    def finish(self) -> list[JSONObject]:
        return [call.finish() for call in self._all]


class _Choice:
    def __init__(self, index: int) -> None:
        self.index = index
        self.message = _Pieces()
        self.calls = _Calls()
        self.rest: JSONObject = {}
        self.logprobs: JSONObject | None = None

    def grow(self, choice: JSONObject) -> bool:
        """Take in one choice of one chunk. False when a tool call's index was used again."""
        delta = object_or_none(choice.get("delta")) or object_or_none(choice.get("message")) or {}
        self.message.grow({key: value for key, value in delta.items() if key != "tool_calls"})
        fits = [self.calls.grow(call) for call in objects_of(delta.get("tool_calls"))]
        for key, value in choice.items():
            if key == "logprobs" and isinstance(value, dict):
                self._grow_logprobs(value)
            elif key not in ("index", "delta", "message") and (value is not None or key not in self.rest):
                self.rest[key] = value
        return all(fits)

    def _grow_logprobs(self, logprobs: JSONObject) -> None:
        if self.logprobs is None:
            self.logprobs = {}
        for key, value in logprobs.items():
            known = self.logprobs.get(key)
            both = isinstance(known, list) and isinstance(value, list)
            self.logprobs[key] = known + value if both else value if value is not None else known

    def finish(self) -> JSONObject:
        message: JSONObject = {"role": "assistant", "content": None}
        message.update(self.message.finish())
        if calls := self.calls.finish():
            message["tool_calls"] = calls
        choice = {"index": self.index, "message": message, "logprobs": None, "finish_reason": None, **self.rest}
        if self.logprobs is not None:
            choice["logprobs"] = self.logprobs
        return choice


class CompletionFold(StreamFold):
    """The fold. `stop_reason` is the first choice's `finish_reason`; the end mark is `[DONE]`."""

    def __init__(self) -> None:
        super().__init__()
        self._completion: JSONObject = {}
        self._usage: JSONObject = {}
        self._choices: dict[int, _Choice] = {}

    def is_end_mark(self, data: bytes) -> bool:
        if data.strip() != b"[DONE]":
            return False
        self.complete = True
        return True

    def fold(self, kind: str, payload: JSONObject) -> None:
        if payload.get("error") or kind == "error":
            self.error_type, self.error_message = read_error(payload)
        if not isinstance(payload.get("choices"), list) and "usage" not in payload:
            return
        for key, value in payload.items():
            if key not in _NOT_FOLDED and (value is not None or key not in self._completion):
                self._completion[key] = value
        if (usage := object_or_none(payload.get("usage"))) is not None:
            merge(self._usage, usage)
        for choice in objects_of(payload.get("choices")):
            if "text" in choice and "delta" not in choice and "message" not in choice:
                continue  # a legacy text completion is no message
            index = choice.get("index")
            number = index if isinstance(index, int) else 0
            if not self._choices.setdefault(number, _Choice(number)).grow(choice):
                self.warn("uses the index of a tool call again for another one")

    def result(self) -> Accumulated:
        answer = Accumulated(is_stream=True, complete=self.complete)
        answer.error_type, answer.error_message = self.error_type, self.error_message
        answer.usage = self._usage or None
        answer.model = text_or_none(self._completion.get("model"))
        if self._choices:
            choices = [self._choices[number].finish() for number in sorted(self._choices)]
            answer.message = {**self._completion, "object": "chat.completion", "choices": choices}
            if self._usage:
                answer.message["usage"] = self._usage
            reasons = [text_or_none(choice.get("finish_reason")) for choice in choices]
            answer.stop_reason = next((reason for reason in reasons if reason), None)
        answer.warnings = self.warnings.to_list()
        return answer
