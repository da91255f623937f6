"""The Responses API's events folded into the response object that the non-streaming API would have given.

The terminal event carries the whole response, and wins. Until it comes, and where its `output` is left empty, the items
are what the stream built: an item's `done` event wins over its deltas.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from gateway.dialects.accumulated import Accumulated, StreamFold, read_error
from gateway.dialects.json_values import JSONObject, object_or_none, objects_of
from gateway.dialects.responses.response import read_answer

_TERMINAL: Final = frozenset(
    {"response.completed", "response.incomplete", "response.failed", "response.cancelled", "response.canceled"}
)


class _Target(NamedTuple):
    """Where a family of delta and done events writes: a field of the item, or of an entry of one of its lists."""

    field: str
    item: str
    """The type of an item that was never announced."""
    entries: str = ""
    entry_index: str = ""
    entry: str = ""
    """The type of an entry that was never announced."""


_TARGETS: Final[dict[str, _Target]] = {
    "response.output_text": _Target("text", "message", "content", "content_index", "output_text"),
    "response.refusal": _Target("refusal", "message", "content", "content_index", "refusal"),
    "response.reasoning_text": _Target("text", "reasoning", "content", "content_index", "reasoning_text"),
    "response.reasoning_summary_text": _Target("text", "reasoning", "summary", "summary_index", "summary_text"),
    "response.function_call_arguments": _Target("arguments", "function_call"),
    "response.custom_tool_call_input": _Target("input", "custom_tool_call"),
    "response.mcp_call_arguments": _Target("arguments", "mcp_call"),
    "response.code_interpreter_call_code": _Target("code", "code_interpreter_call"),
}
_PARTS: Final = {
    "response.content_part": ("content", "content_index"),
    "response.reasoning_summary_part": ("summary", "summary_index"),
}


class _Item:
    """An output item that grows. Texts are joined once, at the end, unless a `done` event gave them whole."""

    def __init__(self, start: JSONObject) -> None:
        self.value = dict(start)
        self.done = False
        self._entries: dict[str, dict[int, JSONObject]] = {}
        self._texts: dict[tuple[str, int, str], list[str]] = {}

    def entry(self, entries: str, index: int, implied: JSONObject) -> JSONObject:
        known = self._entries.get(entries)
        if known is None:
            known = dict(enumerate(dict(entry) for entry in objects_of(self.value.get(entries))))
            self._entries[entries] = known
        return known.setdefault(index, dict(implied))

    def replace_entry(self, entries: str, index: int, part: JSONObject) -> None:
        self.entry(entries, index, part)
        self._entries[entries][index] = dict(part)
        for key in [key for key in self._texts if key[:2] == (entries, index)]:
            del self._texts[key]

    def grow(self, target: _Target, index: int, text: str) -> None:
        if target.entries:
            self.entry(target.entries, index, {"type": target.entry})
        self._texts.setdefault((target.entries, index, target.field), []).append(text)

    def settle(self, target: _Target, index: int, text: str) -> None:
        """The whole text, as a `done` event gives it."""
        self._texts.pop((target.entries, index, target.field), None)
        holder = self.entry(target.entries, index, {"type": target.entry}) if target.entries else self.value
        holder[target.field] = text

    def finish(self) -> JSONObject:
        for (entries, index, name), parts in self._texts.items():
            holder = self._entries[entries][index] if entries else self.value
            before = holder.get(name)
            holder[name] = (before if isinstance(before, str) else "") + "".join(parts)
        for entries, known in self._entries.items():
            self.value[entries] = [known[index] for index in sorted(known)]
        return self.value


class ResponseFold(StreamFold):
    """The fold. `stop_reason` is the response's status, or why it is incomplete."""

    def __init__(self) -> None:
        super().__init__()
        self._response: JSONObject | None = None
        self._items: dict[Any, _Item] = {}

    def fold(self, kind: str, payload: JSONObject) -> None:
        stem, _, last = kind.rpartition(".")
        if kind in _TERMINAL:
            self.complete = True
        if isinstance(payload.get("response"), dict) and kind.startswith("response."):
            self._take_response(kind, payload["response"])
        elif stem == "response.output_item":
            self._fold_item(last, payload)
        elif stem in _PARTS:
            self._fold_part(stem, payload)
        elif stem in _TARGETS:
            self._fold_text(_TARGETS[stem], last, payload)
        elif kind == "response.output_text.annotation.added":
            self._fold_annotation(payload)
        elif kind == "error" or payload.get("error"):
            self.error_type, self.error_message = read_error(payload)

    def _take_response(self, kind: str, response: JSONObject) -> None:
        known = self._response or {}
        if kind in _TERMINAL:
            known.pop("status", None)
            self._response = {"status": kind.rpartition(".")[2], **known, **response}
        else:
            self._response = {**known, **response}

    def _fold_item(self, last: str, payload: JSONObject) -> None:
        item = object_or_none(payload.get("item"))
        if item is None:
            return self.warn("holds no item")
        key = _key(payload, item)
        known = self._items.get(key)
        if last == "done" or known is None or not known.done:
            self._items[key] = _Item(item)
            self._items[key].done = last == "done"

    def _fold_part(self, stem: str, payload: JSONObject) -> None:
        part = object_or_none(payload.get("part"))
        entries, index = _PARTS[stem]
        item = self._item(payload, "message" if entries == "content" else "reasoning")
        if part is not None and not item.done:
            item.replace_entry(entries, _number(payload.get(index)), part)

    def _fold_text(self, target: _Target, last: str, payload: JSONObject) -> None:
        item = self._item(payload, target.item)
        if item.done:
            return
        index = _number(payload.get(target.entry_index)) if target.entry_index else 0
        delta, whole = payload.get("delta"), payload.get(target.field)
        if last == "delta" and isinstance(delta, str):
            item.grow(target, index, delta)
        elif last == "done" and isinstance(whole, str):
            item.settle(target, index, whole)

    def _fold_annotation(self, payload: JSONObject) -> None:
        item = self._item(payload, "message")
        if item.done or "annotation" not in payload:
            return
        part = item.entry("content", _number(payload.get("content_index")), {"type": "output_text"})
        known = part.get("annotations")
        part["annotations"] = [*(known if isinstance(known, list) else []), payload["annotation"]]

    def _item(self, payload: JSONObject, implied: str) -> _Item:
        key = _key(payload, payload)
        item = self._items.get(key)
        if item is None:
            self.warn("belongs to an item that was never announced")
            start: JSONObject = {"type": implied}
            if isinstance(payload.get("item_id"), str):
                start["id"] = payload["item_id"]
            item = self._items[key] = _Item(start)
        return item

    def _order(self) -> list[Any]:
        """Items by their place in the output where all have one, else in the order they came."""
        keys = list(self._items)
        return sorted(keys) if all(isinstance(key, int) for key in keys) else keys

    def result(self) -> Accumulated:
        answer = Accumulated(is_stream=True, complete=self.complete)
        output = [self._items[key].finish() for key in self._order()]
        if self._response is None and output:
            self.warnings.add("the response itself was never announced")
            self._response = {"object": "response"}
        if self._response is not None:
            answer = read_answer({"object": "response", **self._response})
            answer.is_stream, answer.complete = True, self.complete
            message = answer.message = dict(self._response)
            if output and not message.get("output"):
                message["output"] = output
                if self.complete:
                    self.warnings.add("the finished response came without its output; the stream's items were taken")
        if self.error_type or self.error_message:
            answer.error_type, answer.error_message = self.error_type, self.error_message
        answer.warnings = self.warnings.to_list()
        return answer


def _key(payload: JSONObject, item: JSONObject) -> Any:
    index = payload.get("output_index")
    if isinstance(index, int):
        return index
    name = item.get("id") or item.get("item_id")
    return name if isinstance(name, str) else None


def _number(value: Any) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
