"""Which calls are tries of one turn, and why a client tried again.

Claude Code's retry counter is always 0, so its retries are told by what they say: the same messages again, whatever was
dropped beside them; or, after a broken stream, the same messages with a request to go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Final

from gateway.dialects.json_values import objects_of
from gateway.dialects.request_parts import PartKind
from gateway.history.conversation.calls import Call, Part

RESUMES: Final = ("cut off mid-stream", "Output token limit hit")
REFUSED: Final = 400

ReadPart = Callable[[Part], Any]
"""The JSON value of a part."""


class Why(StrEnum):
    """Why the client tried again. The gateway's own tries stand in `Call.attempts`."""

    FIRST = "first"
    RETRY = "retry"
    DOWNGRADE = "downgrade"
    """After a refusal, with fewer betas or other tools."""
    WITHOUT_STREAMING = "without_streaming"
    OTHER_MODEL = "other_model"
    RESUMED = "resumed"
    """The answer broke off and the client asked to go on."""


def is_retry(before: Call, call: Call) -> bool:
    """Whether `call`, which says what `before` said, is another try of it, rather than the same asked anew."""
    refused = before.stop_reason == "refusal"
    return not before.answered or refused or (before.is_streaming is True and call.is_streaming is False)


def why_again(before: Call, call: Call) -> Why:
    """Why `call` says again what `before` said."""
    if call.requested_model != before.requested_model:
        return Why.OTHER_MODEL
    if before.is_streaming and not call.is_streaming:
        return Why.WITHOUT_STREAMING
    if before.status_code == REFUSED and (list(call.betas) != list(before.betas) or tools_of(call) != tools_of(before)):
        return Why.DOWNGRADE
    return Why.RETRY


def tools_of(call: Call) -> list[bytes]:
    return [part.digest for part in call.parts if part.kind is PartKind.TOOL]


def dropped(before: Call, call: Call) -> list[str]:
    """The betas that were not asked for again."""
    return [beta for beta in before.betas if beta not in call.betas]


def resumes(before: Call, call: Call, read: ReadPart) -> bool:
    """Whether `call` asks for the rest of an answer that broke off in `before`."""
    old, new = before.spoken, call.spoken
    if not old or len(new) < len(old) or (before.answered and before.stop_reason not in OUT_OF_ROOM):
        return False
    if any(a.digest != b.digest for a, b in zip(old[:-1], new, strict=False)):
        return False
    if len(new) == len(old):
        return before.cut and grew(read(old[-1]), read(new[-1]))
    return old[-1].digest == new[len(old) - 1].digest and asks_to_resume(read(new[-1]))


OUT_OF_ROOM: Final = frozenset({"max_tokens", "model_context_window_exceeded", "length", "max_output_tokens"})


def grew(old: Any, new: Any) -> bool:
    """Whether a message is an older one with more blocks behind it."""
    old_texts, new_texts = block_texts(old), block_texts(new)
    return len(new_texts) > len(old_texts) > 0 and new_texts[: len(old_texts)] == old_texts


def asks_to_resume(message: Any) -> bool:
    return any(sentence in text for text in block_texts(message) for sentence in RESUMES)


def block_texts(message: Any) -> Sequence[str]:
    """The blocks of a message, comparable: texts without the space around them, anything else as it is written."""
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        return [content.strip()]
    return [
        block["text"].strip()
        if isinstance(block.get("text"), str)
        else repr(sorted(block.items(), key=lambda item: item[0]))
        for block in objects_of(content)
    ]
