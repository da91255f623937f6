"""What an answer comes to once its events are folded, and what the three folds have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Final

from gateway.dialects.json_values import JSONObject, NotJSONError, is_object, read_json
from gateway.dialects.sse import ServerSentEvent

_MOST_WARNINGS: Final = 20


class Warnings:
    """Sentences about what was odd, bounded: a broken stream can be odd a million times."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self._unsaid = 0

    def add(self, sentence: str) -> None:
        if sentence in self._said:
            return
        if len(self._said) < _MOST_WARNINGS:
            self._said.append(sentence)
        else:
            self._unsaid += 1

    def to_list(self) -> list[str]:
        return [*self._said, f"and {self._unsaid} more warnings"] if self._unsaid else list(self._said)


@dataclass(slots=True)
class Accumulated:
    """An answer as its API's non-streaming form would have given it.

    `message` is None when the answer holds none (an error, embeddings, a page of HTML). Keys in it that begin with an
    underscore are ours: what could not be folded, kept as it came. `usage` is the provider's own object, merged key by
    key. `complete` tells whether a stream's end mark was seen; None when the answer is not a stream.
    """

    message: JSONObject | None = None
    model: str | None = None
    stop_reason: str | None = None
    usage: JSONObject | None = None
    error_type: str | None = None
    error_message: str | None = None
    complete: bool | None = None
    warnings: list[str] = field(default_factory=list)
    is_stream: bool = False


class StreamFold(ABC):
    """A fold over one stream's events: `add` each, then take the `result` once."""

    def __init__(self) -> None:
        self.warnings = Warnings()
        self.complete = False
        self.mended = False
        self.events = 0
        self.error_type: str | None = None
        self.error_message: str | None = None

    def add(self, event: ServerSentEvent) -> None:
        """Takes any event, also one that is not of this dialect."""
        self.events += 1
        if event.opaque:
            self.warn("is too big to be read")
        elif event.data and not self.is_end_mark(event.data):
            self._read(event)

    def _read(self, event: ServerSentEvent) -> None:
        try:
            payload, mended = read_json(event.data)
        except NotJSONError:
            self.warn("is not JSON" if event.complete else "was cut off")
            return
        if mended:
            self.mended = True
            self.warn("is not clean JSON; read leniently")
        if is_object(payload):
            kind = payload.get("type")
            self.fold(kind if isinstance(kind, str) else event.name.decode("latin-1"), payload)
        else:
            self.warn("holds no object")

    def warn(self, sentence: str) -> None:
        self.warnings.add(f"event {self.events} {sentence}")

    def is_end_mark(self, data: bytes) -> bool:
        """Whether `data` is an end mark that is not JSON. Some gateways send OpenAI's to everybody."""
        return data.strip() == b"[DONE]"

    @abstractmethod
    def fold(self, kind: str, payload: JSONObject) -> None:
        """Take in one event. `kind` is its type, or its SSE name when it has none."""

    @abstractmethod
    def result(self) -> Accumulated:
        """The answer so far."""


def merge(known: JSONObject, update: JSONObject) -> None:
    """Merge cumulative counters into `known`, key by key: a null says nothing new, and objects merge in turn."""
    for key, value in update.items():
        old = known.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merge(old, value)
        elif value is not None or key not in known:
            known[key] = value


def read_error(payload: JSONObject) -> tuple[str | None, str | None]:
    """Type and message out of an error in any of the shapes in use: nested, flat, or a bare sentence."""
    error = payload.get("error")
    if isinstance(error, str):
        return None, error
    source = error if isinstance(error, dict) else payload
    names = [source.get("type"), source.get("code")]
    kind = next((name for name in names if isinstance(name, str) and name and name != "error"), None)
    message = source.get("message")
    return kind, message if isinstance(message, str) else None
