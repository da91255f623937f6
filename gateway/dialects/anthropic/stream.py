"""Anthropic's stream of events folded into the message that the non-streaming API would have given.

Blocks are kept as they came and grow by their deltas; types we do not know are no obstacle. Two keys are our own:
`_deltas` in a block lists the deltas nobody knows how to apply, `_partial_json` the text of a tool's input that is not
JSON (its `input` then stays as the block's start gave it).
"""

from __future__ import annotations

from typing import Any, Final

from gateway.dialects.accumulated import Accumulated, StreamFold, merge, read_error
from gateway.dialects.json_values import (
    JSONObject,
    NotJSONError,
    mend_text,
    object_or_none,
    objects_of,
    read_json,
    text_or_none,
)

# delta type -> (where the delta carries its text, which field of the block grows, the block it implies)
_TEXTS: Final[dict[str, tuple[str, str, str]]] = {
    "text_delta": ("text", "text", "text"),
    "thinking_delta": ("thinking", "thinking", "thinking"),
    "input_json_delta": ("partial_json", "_partial_json", "tool_use"),
}
_IMPLIED: Final[dict[str, JSONObject]] = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
    "tool_use": {"type": "tool_use", "input": {}},
}
_IMPLIED_BY: Final = {name: block for name, (_, _, block) in _TEXTS.items()} | {
    "signature_delta": "thinking",
    "citations_delta": "text",
}


class _Block:
    """A content block that grows. Texts are joined once, at the end."""

    def __init__(self, start: JSONObject) -> None:
        self.value = dict(start)
        self.stopped = False
        self.mended = False
        self._texts: dict[str, list[str]] = {}
        self._unknown: list[JSONObject] = []

    def apply(self, delta: JSONObject) -> bool:
        """Whether the delta could be applied; otherwise it is kept in `_deltas`."""
        kind = delta.get("type")
        if isinstance(kind, str) and kind in _TEXTS:
            source, target, _ = _TEXTS[kind]
            text = delta.get(source)
            if isinstance(text, str):
                self._texts.setdefault(target, []).append(text)
                return True
        elif kind == "signature_delta" and isinstance(delta.get("signature"), str):
            self.value["signature"] = delta["signature"]
            return True
        elif kind == "citations_delta" and "citation" in delta:
            known = self.value.get("citations")
            self.value["citations"] = [*(known if isinstance(known, list) else []), delta["citation"]]
            return True
        elif kind == "compaction_delta":
            self.value.update((key, value) for key, value in delta.items() if key != "type")
            return True
        self._unknown.append(delta)
        return False

    def finish(self) -> str | None:
        """Join what grew. A sentence when a tool's input is not JSON."""
        for target, parts in self._texts.items():
            if target != "_partial_json":
                before = self.value.get(target)
                self.value[target] = (before if isinstance(before, str) else "") + "".join(parts)
        if self._unknown:
            self.value["_deltas"] = self._unknown
        partial_json = mend_text("".join(self._texts.get("_partial_json", [])))
        self._texts.clear()
        return self._read_input(partial_json) if partial_json.strip() else None

    def _read_input(self, partial_json: str) -> str | None:
        try:
            self.value["input"], mended = read_json(partial_json.encode())
        except NotJSONError:
            self.value["_partial_json"] = partial_json
            return "is not JSON" if self.stopped else "was cut off"
        self.mended = mended
        return None


class MessageFold(StreamFold):
    """The fold. A stream without `message_start` still gives a message when it has blocks."""

    def __init__(self) -> None:
        super().__init__()
        self._message: JSONObject | None = None
        self._usage: JSONObject = {}
        self._blocks: list[_Block] = []
        self._open: dict[Any, _Block] = {}
        self._folds = {
            "message_start": self._start,
            "content_block_start": self._start_block,
            "content_block_delta": self._grow_block,
            "content_block_stop": self._stop_block,
            "message_delta": self._end,
        }

    def fold(self, kind: str, payload: JSONObject) -> None:
        if kind in self._folds:
            self._folds[kind](payload)
        elif kind == "message_stop":
            self.complete = True
        elif kind == "error" or (not kind and "error" in payload):
            self.error_type, self.error_message = read_error(payload)

    def _start(self, payload: JSONObject) -> None:
        message = object_or_none(payload.get("message"))
        if message is None:
            return self.warn("starts no message")
        if self._message is not None:
            return self.warn("starts a second message")
        self._message = dict(message)
        if (usage := object_or_none(message.get("usage"))) is not None:
            merge(self._usage, usage)
        self._blocks.extend(_Block(block) for block in objects_of(message.get("content")))

    def _start_block(self, payload: JSONObject) -> None:
        block = object_or_none(payload.get("content_block"))
        if block is None:
            return self.warn("starts no block")
        index = _index(payload)
        if index != len(self._blocks):
            self.warn("starts a block out of turn")
        self._open_block(index, block)
        # The block that marks a fallback names the model that went on; the finished message names it too.
        to = object_or_none(block.get("to")) if block.get("type") == "fallback" else None
        if to and self._message is not None and isinstance(to.get("model"), str):
            self._message["model"] = to["model"]

    def _open_block(self, index: int | None, start: JSONObject) -> _Block:
        block = self._open[index] = _Block(start)
        self._blocks.append(block)
        return block

    def _grow_block(self, payload: JSONObject) -> None:
        delta = object_or_none(payload.get("delta"))
        if delta is None:
            return self.warn("has no delta")
        index = _index(payload)
        block = self._open.get(index)
        if block is None:
            self.warn("grows a block that was never started")
            implied = _IMPLIED_BY.get(str(delta.get("type")))
            block = self._open_block(index, _IMPLIED[implied] if implied else {"type": "unknown"})
        if not block.apply(delta):
            self.warn("has a delta of an unknown kind, kept as it came")

    def _stop_block(self, payload: JSONObject) -> None:
        block = self._open.get(_index(payload))
        if block is None:
            return self.warn("stops a block that was never started")
        block.stopped = True

    def _end(self, payload: JSONObject) -> None:
        message = self._known()
        if (delta := object_or_none(payload.get("delta"))) is not None:
            merge(message, delta)
        if (usage := object_or_none(payload.get("usage"))) is not None:
            merge(self._usage, usage)
        rest = {key: value for key, value in payload.items() if key not in ("type", "delta", "usage", "content")}
        message.update((key, value) for key, value in rest.items() if value is not None or key not in message)

    def _known(self) -> JSONObject:
        if self._message is None:
            self.warn("came before the message was started")
            self._message = {"type": "message", "role": "assistant"}
        return self._message

    def result(self) -> Accumulated:
        for number, block in enumerate(self._blocks):
            if (problem := block.finish()) is not None:
                self.warnings.add(f"the input of block {number} {problem}")
            self.mended |= block.mended
        answer = Accumulated(is_stream=True, complete=self.complete)
        answer.error_type, answer.error_message = self.error_type, self.error_message
        if self._blocks and self._message is None:
            self._known()
        if self._message is not None:
            self._message["content"] = [block.value for block in self._blocks]
            if self._usage:
                self._message["usage"] = self._usage
            answer.message = self._message
            answer.model = text_or_none(self._message.get("model"))
            answer.stop_reason = text_or_none(self._message.get("stop_reason"))
            answer.usage = self._usage or None
        answer.warnings = self.warnings.to_list()
        return answer


def _index(payload: JSONObject) -> int | None:
    index = payload.get("index")
    return index if isinstance(index, int) else None
