"""One request and its answer carried from the caller's dialect to the provider's and back. Pure: what comes in are
bytes, what goes out are bytes, and the same bytes give the same bytes again.

Caller and provider may each stream or not: what the provider's answer is, is seen by its first bytes, because content
types lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from gateway.dialects.answer import NO_USAGE, Answer, Failed, Finished, Started, StreamEvent, Usage
from gateway.dialects.citations import can_say
from gateway.dialects.codec import Codec, EncodedRequest, StreamDecoder, StreamEncoder
from gateway.dialects.codecs import CODECS
from gateway.dialects.content import BOUND, decode_body
from gateway.dialects.failures import ErrorKind
from gateway.dialects.faults import describe_page
from gateway.dialects.folding import Fold, unfold
from gateway.dialects.names import Dialect
from gateway.dialects.own_calls import OwnCalls
from gateway.dialects.profile import Profile
from gateway.dialects.turn import Image, Loss, Part, Refused, Request, Text, ToolResult, Unknown
from gateway.dialects.unknown_members import leave_out_unknown

_SNIFFED_BYTES: Final = 16
_STREAM_STARTS: Final = (b"event:", b"data:", b":", b"id:", b"retry:")
_BYTES_PER_TOKEN: Final = 4
_FRAME_EVENTS: Final = 3
"""Start, end of a block and end: the rest are about one for each token."""
_FAILING: Final = 300
_UNCITED: Final = Loss("citations", "the caller's API has no place for what the answer refers to")
_ESTIMATED: Final = Loss("usage", "the provider gave no figures; those the caller got are estimates")

replace = msgspec.structs.replace


class Translation(msgspec.Struct, frozen=True):
    """What is settled before the provider is called. `request` is the caller's, `model` the one the provider is asked
    for; `losses` are those of the request."""

    caller: Dialect
    provider: Dialect
    profile: Profile
    request: Request
    encoded: EncodedRequest
    losses: tuple[Loss, ...]
    body_bytes: int
    model: str


def translate_request(
    caller: Dialect,
    provider: Dialect,
    profile: Profile,
    body: bytes,
    *,
    model: str | None,
    tag: str,
    adapt: Callable[[Request], Request] | None = None,
    demote: bool = False,
) -> Translation:
    """`body` is the caller's, without content coding; `model` the one to ask for instead of the caller's, if another.
    `tag` is unique to the exchange; `adapt` changes what was asked; `demote`: the provider is asked for a stream
    whatever the caller wants. Raises Refused."""
    request = replace(CODECS[caller].decode_request(body), tag=tag)
    if adapt is not None:
        request = adapt(request)
    asked = replace(request, model=model) if model else request
    if demote:
        asked = replace(asked, stream=True)
    if not profile.images:
        refuse_images(request)
    known, unknown = leave_out_unknown(asked)
    encoded = CODECS[provider].encode_request(known, profile)
    losses = encoded.losses + unknown
    return Translation(caller, provider, profile, request, encoded, losses, len(body), asked.model)


def refuse_images(request: Request) -> None:
    """For a model that takes none. Raises Refused, so that the route's next target is asked, where there is one."""
    for number, message in enumerate(request.messages):
        if _has_image(message.content):
            where = f"messages.{number}.content"
            raise Refused(
                f"{where}: this model takes no images. Use one that does, or leave the image out. Whoever runs this "
                "gateway can give the route another target, or the model a route for images (scenario: image).",
                where,
            )


def _has_image(parts: Iterable[Part]) -> bool:
    return any(isinstance(part, Image) or (isinstance(part, ToolResult) and _has_image(part.content)) for part in parts)


def without_conversation(translation: Translation) -> Translation:
    """What the answer still needs of it: a stream must not hold the request's megabytes for as long as it runs."""
    request = replace(translation.request, messages=())
    return replace(translation, request=request, encoded=replace(translation.encoded, body=b""))


class AnswerTranslator:
    """Takes the provider's answer chunk by chunk. `failed` is set when the provider failed in whatever way: as long as
    `begun` is False the caller can still be told so with a status, afterwards the failure is in its stream.
    `losses` are those of the answer."""

    def __init__(self, translation: Translation, status: int, content_type: str, content_encoding: str = "") -> None:
        self.failed: Failed | None = None
        self.begun = False
        self.losses: list[Loss] = []
        self._final: bytes | None = None
        self._translation = translation
        self._caller: Codec = CODECS[translation.caller]
        self._provider: Codec = CODECS[translation.provider]
        self._status = status
        self._content_type = content_type
        self._coding = content_encoding
        self._parts: list[bytes] = []
        self._size = 0
        self._decoder: StreamDecoder | None = None
        self._encoder: StreamEncoder = self._caller.encode_stream(translation.request)
        # The Responses API knows its calls by their item, and has a name for each kind.
        others = translation.caller is not Dialect.RESPONSES
        self._own = OwnCalls.of(translation.request.tools) if others else None
        self._folded = Fold()
        self._started: Started | None = None
        self._is_whole = status >= _FAILING or bool(content_encoding and content_encoding.lower() != "identity")
        self._events = 0

    @property
    def final(self) -> bytes | None:
        """The whole answer in a dialect whose callers come back to it (Responses), once it is there."""
        if self._final is None and self.streams:
            self._final = getattr(self._encoder, "final", None)
        return self._final

    @property
    def streams(self) -> bool:
        """Whether the caller gets a stream."""
        return self._translation.request.stream

    def feed(self, chunk: bytes) -> bytes:
        """What the caller is to be sent for a chunk of the provider's; often nothing."""
        if self._decoder is None:
            self._size += len(chunk)
            if self._size <= BOUND:
                self._parts.append(chunk)
            if self._is_whole or not self._sniff():
                return b""
            chunk = b"".join(self._parts)
            self._parts.clear()
        decoder = self._decoder
        return self._pass_on(decoder.feed(chunk)) if decoder is not None else b""

    def finish(self) -> bytes:
        """The provider's answer is whole: the rest of what the caller is to be sent."""
        if self._decoder is None:
            if self._size > BOUND:
                return self._say_whole(Failed(ErrorKind.API_ERROR, f"The provider's answer is over {BOUND} bytes."))
            return self._finish_whole(b"".join(self._parts))
        said = self._pass_on(self._decoder.finish()) + self._finish_folded()
        if self._encoder.uncited:
            self.losses.append(_UNCITED)
        return said

    def ping(self) -> bytes:
        """What keeps the caller waiting while the provider is silent; nothing for a caller that does not stream."""
        if not self.streams or self.failed is not None or self._status >= _FAILING:
            return b""
        self.begun = True
        started, self._started = self._started, None
        return (self._encoder.encode((started,)) if started is not None else b"") + self._encoder.ping()

    def break_off(self, failed: Failed) -> bytes:
        """The provider's answer broke: the caller's event for it, when its stream has begun."""
        if self.failed is not None:
            return b""
        self.failed = failed
        return self._tell_failure()

    def _sniff(self) -> bool:
        """Begin to read events when the answer's first bytes are those of a stream; False while that is not known."""
        start = b"".join(self._parts[:_SNIFFED_BYTES]).removeprefix(b"\xef\xbb\xbf").lstrip()
        if not start or any(mark.startswith(start) for mark in _STREAM_STARTS):
            return False
        if not start.startswith(_STREAM_STARTS):
            self._is_whole = True
            return False
        self._decoder = self._provider.decode_stream(self._translation.request, self._translation.profile)
        return True

    def _pass_on(self, events: list[StreamEvent]) -> bytes:
        if not events:
            return b""
        self._events += len(events)
        last = events[-1]
        if type(last) is Finished and last.usage == NO_USAGE:
            events[-1] = replace(last, usage=self._estimate(self._events - _FRAME_EVENTS))
        elif type(last) is Failed:
            events[-1] = last = self._named(last)
        if self._own is not None:
            events = self._own.events(events)
        if not self.streams:
            self._folded.add(events)
            return b""
        if not self.begun and not self._begin(events):
            return b""
        if type(last) is Failed:
            self.failed = last
        return self._encoder.encode(events)

    def _begin(self, events: list[StreamEvent]) -> bool:
        """The start waits for what follows it, so that a failure right behind it can still be told with a status."""
        first = events[0]
        if isinstance(first, Started) and len(events) == 1:
            self._started = first
            return False
        if self._started is not None:
            events.insert(0, self._started)
            self._started = None
        failed = next((event for event in events[:2] if isinstance(event, Failed)), None)
        self.failed = failed
        self.begun = failed is None
        return self.begun

    def _finish_folded(self) -> bytes:
        return b"" if self.streams else self._say_whole(self._folded.result())

    def _finish_whole(self, body: bytes) -> bytes:
        if self._coding:
            body = decode_body(self._coding, body).data
        if self._status >= _FAILING:
            self.failed = self._named(self._provider.decode_error(self._status, self._content_type, body))
            return self._tell_failure()
        if body.lstrip()[:1] not in (b"{", b"["):
            if body.lstrip().startswith(_STREAM_STARTS):
                return self._finish_stream(body)
            page = describe_page(self._status, self._content_type, body)
            return self._say_whole(self._named(Failed(ErrorKind.API_ERROR, page)))
        answer = self._provider.decode_answer(body, self._translation.request, self._translation.profile)
        if isinstance(answer, Failed):
            return self._say_whole(self._named(answer))
        return self._say_whole(self._own.answer(answer) if self._own is not None else answer)

    def _named(self, failed: Failed) -> Failed:
        """With the model that was asked: the caller may know it under another name, and a route have several."""
        if self._translation.model in failed.message:
            return failed
        return replace(failed, message=f"{failed.message} (model {self._translation.model})")

    def _finish_stream(self, body: bytes) -> bytes:
        """A stream that could be read only when it was whole."""
        self._decoder = self._provider.decode_stream(self._translation.request, self._translation.profile)
        return self._pass_on(self._decoder.feed(body)) + self.finish()

    def _tell_failure(self) -> bytes:
        """The failure as an event, when the caller's stream has begun."""
        failed = self.failed
        return self._encoder.encode((failed,)) if failed is not None and self.begun and self.streams else b""

    def _say_whole(self, answer: Answer | Failed) -> bytes:
        if isinstance(answer, Failed):
            self.failed = answer
            return self._tell_failure()
        if answer.usage == NO_USAGE:
            answer = replace(answer, usage=self._estimate(len(repr(answer.content)) // _BYTES_PER_TOKEN))
        self.begun = True
        if self.streams:
            return self._encoder.encode(unfold(answer))
        if any(not can_say(note, self._translation.caller) for note in _citations(answer)):
            self.losses.append(_UNCITED)
        said = self._caller.encode_answer(answer, self._translation.request)
        if self._translation.caller is Dialect.RESPONSES:
            self._final = said
        return said

    def _estimate(self, output: int) -> Usage:
        self.losses.append(_ESTIMATED)
        return Usage(self._translation.body_bytes // _BYTES_PER_TOKEN, max(1, output), estimated=True)


def _citations(answer: Answer) -> list[Unknown]:
    return [note for part in answer.content if isinstance(part, Text) for note in part.citations]


def translate_answer(
    translation: Translation, status: int, content_type: str, content_encoding: str, body: Iterable[bytes]
) -> tuple[bytes, Failed | None]:
    """A whole answer: (what the caller gets, why it failed)."""
    translator = AnswerTranslator(translation, status, content_type, content_encoding)
    said = b"".join([*(translator.feed(chunk) for chunk in body), translator.finish()])
    return said, translator.failed
