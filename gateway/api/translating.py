"""A request whose provider speaks another dialect than its caller: what goes out, and what comes back.

The record keeps the caller's body and the provider's bytes as they came; what the caller got follows from the two, by
the same code. No credential of the caller's goes along: it was issued for somebody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Self

import msgspec
import structlog

from gateway.api.model_names import nearest_models
from gateway.api.refusals import Refusal, request_id_header
from gateway.api.replies import RelayedReply, Reply, bytes_reply
from gateway.dialects.answer import Failed
from gateway.dialects.errors import encode_error, is_final, status_of
from gateway.dialects.failures import ErrorKind
from gateway.dialects.model_list import fit_profile
from gateway.dialects.names import Dialect, Outcome
from gateway.dialects.responses import compaction
from gateway.dialects.translation import AnswerTranslator, Translation, translate_request, without_conversation
from gateway.dialects.turn import Loss, Refused
from gateway.recording.records import Translated

if TYPE_CHECKING:
    from gateway.api.facts import Facts
    from gateway.api.keeping import Keeping
    from gateway.api.request import GatewayRequest, HeaderPair
    from gateway.api.streaming import ExchangeStream
    from gateway.policy.routing import Target
    from gateway.upstream.client import httpx

PATHS = {
    Dialect.ANTHROPIC: "/v1/messages",
    Dialect.CHAT: "/v1/chat/completions",
    Dialect.RESPONSES: "/v1/responses",
}
SILENCE_SECONDS = 15.0
"""After how long without a byte for the caller a ping is sent."""
CARRIED = frozenset({b"user-agent", b"traceparent", b"tracestate"})
"""Headers of the caller's that mean the same to every provider."""
TOLD = frozenset({b"retry-after", b"retry-after-ms", b"x-should-retry"})
"""Headers of a provider's error that mean the same to every client."""
ANTHROPIC_VERSION = (b"anthropic-version", b"2023-06-01")
BETAS = b"anthropic-beta"
log = structlog.get_logger(__name__)

UNKNOWN_BETAS = Loss("anthropic-beta", "betas are Anthropic's own; the fields they allow were translated or left out")


def plan(request: GatewayRequest, body: bytes, target: Target, speaks: Dialect, facts: Facts) -> Translation:
    """The translation for a target that speaks `speaks`. Raises Refusal for what cannot be said to it."""
    is_compaction = request.path == compaction.PATH
    if request.method != "POST" or not (is_compaction or request.path == PATHS.get(request.dialect)):
        raise Refusal(
            ErrorKind.NOT_SUPPORTED,
            f"{request.path} is not translated: the model's provider {target.provider.name} speaks another API.",
        )
    wanted = target.model or facts.envelope.model or ""
    listed = request.runtime.discovery.catalogue.find(target.provider.name, wanted)
    profile = fit_profile(target.provider.profile, listed)
    try:
        return translate_request(
            request.dialect,
            speaks,
            profile,
            body,
            model=target.model,
            tag=request.id_text,
            adapt=compaction.as_window if is_compaction else None,
            demote=facts.plan.route is not None and facts.plan.route.demote,
        )
    except Refused as refused:
        raise Refusal(ErrorKind.INVALID_REQUEST, refused.message, details=refused.details) from None


def translated_record(request: GatewayRequest, translation: Translation) -> Translated:
    """What the record says of it."""
    losses = list(translation.losses)
    if request.header(BETAS) is not None:
        losses.append(UNKNOWN_BETAS)
    return Translated(translation.provider.value, translation.profile.name, losses)


def translated_headers(
    request: GatewayRequest, translation: Translation, credential: HeaderPair | None, host: bytes
) -> list[HeaderPair]:
    """The headers as the provider gets them: its own API's, and its own credential, where it asks for one."""
    accept = b"text/event-stream" if translation.request.stream else b"application/json"
    pairs = [
        (b"host", host),
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(translation.encoded.body)),
        (b"accept", accept),
        (b"accept-encoding", b"identity"),
        *(pair for pair in request.pairs if pair[0] in CARRIED),
    ]
    if translation.provider is Dialect.ANTHROPIC:
        pairs.append(ANTHROPIC_VERSION)
    pairs += translation.encoded.headers
    return [*pairs, credential] if credential is not None else pairs


async def translated_reply(
    request: GatewayRequest,
    source: ExchangeStream,
    response: httpx.Response,
    translation: Translation,
    record: Translated,
    keeping: Keeping | None = None,
) -> Reply:
    """The provider has answered: wait until it is clear what to say, and say it in the caller's dialect."""
    headers = {name.lower(): value for name, value in response.headers.raw}
    request.sent_on()
    translator = AnswerTranslator(
        without_conversation(translation),
        response.status_code,
        headers.get(b"content-type", b"").decode("latin-1"),
        headers.get(b"content-encoding", b"").decode("latin-1"),
    )
    source.attach(response, events=False)
    stream = TranslatedStream(source, translator, response, record, keeping)
    first = await stream.prime()
    if not translator.begun:
        failed = translator.failed or Failed(ErrorKind.API_ERROR, "The provider's answer holds nothing.")
        return failure_reply(request, source, failed, response.headers.raw)
    pairs = [(request_id_header(request.dialect), request.id_text.encode())]
    if not translator.streams:
        return bytes_reply(200, first, b"application/json", pairs)
    head = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"), *pairs]
    return RelayedReply(200, head, stream)  # type: ignore[arg-type]


def failure_reply(request: GatewayRequest, source: ExchangeStream, failed: Failed, headers: list[HeaderPair]) -> Reply:
    """The provider's failure in the caller's dialect, with its status and what it said about trying again."""
    source.overrule(Outcome.UPSTREAM_ERROR, failed.message)
    message = failed.message + nearest_to(request) if failed.kind is ErrorKind.NOT_FOUND else failed.message
    body = encode_error(request.dialect, failed.kind, message, request.id_text)
    pairs = [(request_id_header(request.dialect), request.id_text.encode())]
    told = [(name.lower(), value) for name, value in headers if name.lower() in TOLD]
    if is_final(failed.kind) and not any(name == b"x-should-retry" for name, _ in told):
        told.append((b"x-should-retry", b"false"))
    return bytes_reply(failure_status(request.dialect, failed), body, b"application/json", [*pairs, *told])


def nearest_to(request: GatewayRequest) -> str:
    """For a model the provider does not know: the names most like it, where any are known."""
    snapshot, catalogue = request.runtime.configuration.current, request.runtime.discovery.catalogue
    facts = request.facts
    if snapshot is None or facts is None or not catalogue.listings:
        return ""
    lease = request.stream.lease if request.stream is not None else None
    wanted = lease.key[1] if lease is not None else facts.envelope.model or ""
    return f" {nearest_models(snapshot, catalogue, wanted)}"


def failure_status(dialect: Dialect, failed: Failed) -> int:
    """The provider's own status where it is one of failure. An overloaded provider has a status of its own in each
    dialect, and an error inside a 200 gets the one of its kind."""
    usual = status_of(dialect, failed.kind)
    if failed.kind is ErrorKind.OVERLOADED or failed.status is None or failed.status < 400:
        return usual
    return usual if failed.status == status_of(Dialect.ANTHROPIC, ErrorKind.OVERLOADED) else failed.status


class TranslatedStream:
    """What `ExchangeStream` is to a relayed answer, for a translated one. The source records what the provider sent and
    knows how it ended; this says it in the other dialect, and pings while the provider is silent."""

    __slots__ = (
        "_first",
        "_held",
        "_keeping",
        "_last",
        "_loop",
        "_record",
        "_response",
        "_source",
        "_timer",
        "_translator",
        "_way_out",
        "_whole",
    )

    def __init__(
        self,
        source: ExchangeStream,
        translator: AnswerTranslator,
        response: httpx.Response,
        record: Translated,
        keeping: Keeping | None,
    ) -> None:
        self._source = source
        self._record = record
        self._keeping = keeping
        self._translator = translator
        self._response = response
        self._first = b""
        self._held: bytes | None = None
        self._way_out: Callable[[bytes], bool] | None = None
        self._whole = False
        self._last = monotonic()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(SILENCE_SECONDS, self._look)
        source.on_close = self.stop

    @property
    def broken(self) -> bool:
        return self._source.broken

    @property
    def has_chunk(self) -> bool:
        return bool(self._first)

    @property
    def is_spent(self) -> bool:
        """Never known beforehand: the provider's end may have to be said in more words."""
        return False

    def pass_to(self, way_out: Callable[[bytes], bool] | None) -> None:
        """From here on what a chunk comes to may go to the client in the moment the chunk comes."""
        if way_out is not None:
            self._way_out = way_out
            self._source.pass_to(self._pass)

    def _pass(self, chunk: bytes) -> bool:
        """Translate a chunk and write it. Where that ends the answer, or the client takes nothing just now, the reader
        gets the chunk, and finds what it comes to in `_held`: no chunk is translated twice."""
        assert self._way_out is not None
        said = self._said(self._translator.feed, chunk)
        ends = self._whole or self._translator.failed is not None or self._must_keep
        if ends or (said and not self._way_out(said)):
            self._held = said
            return False
        if said:
            self._last = monotonic()
        return True

    def conclude_whole(self) -> None:
        self._source.conclude_whole()

    @property
    def sending_since(self) -> float:
        return self._source.sending_since

    @sending_since.setter
    def sending_since(self, since: float) -> None:
        self._source.sending_since = since

    async def prime(self) -> bytes:
        """Read until there is something to be said, or it is clear that there never will be. A caller that does not
        stream gets all at once."""
        said: list[bytes] = []
        while not self._whole and not (said and self._translator.streams):
            if (part := await self._next()) is not None and part:
                said.append(part)
        self._first = b"".join(said)
        return self._first

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._first:
            first, self._first = self._first, b""
            return first
        while not self._whole:
            if (part := await self._next()) is not None and part:
                return part
        raise StopAsyncIteration

    async def _next(self) -> bytes | None:
        """What the provider's next chunk comes to; `_whole` is set when there was none."""
        try:
            chunk = await self._source.__anext__()
        except StopAsyncIteration:
            self._whole = True
            said = self._finish()
            await self._keep()
            return said
        if not chunk:
            return self._translator.ping() if self._is_silent() else None
        held, self._held = self._held, None
        said = self._said(self._translator.feed, chunk) if held is None else held
        if said:
            self._last = monotonic()
            await self._keep()
        if self._translator.failed is not None:
            self._conclude()
        return said

    def _said(self, way: Callable[..., bytes], *chunk: bytes) -> bytes:
        """What cannot be translated ends the answer in the caller's dialect; it must not escape a begun body."""
        try:
            return way(*chunk)
        except Exception as fault:
            log.exception("an answer could not be translated", request_id=self._source.exchange.id_text)
            self._whole = True
            self.stop()
            problem = f"The provider's answer could not be translated: {fault!r}"
            return self._translator.break_off(Failed(ErrorKind.API_ERROR, problem))

    @property
    def _must_keep(self) -> bool:
        return self._keeping is not None and self._translator.final is not None

    async def _keep(self) -> None:
        """Before the caller gets the end of a response it may come back to, it is kept."""
        final = self._translator.final
        if self._keeping is not None and final is not None:
            keeping, self._keeping = self._keeping, None
            await keeping.keep(final)

    def _finish(self) -> bytes:
        self.stop()
        if self._source.broken:
            kind = ErrorKind.TIMEOUT if self._source.outcome is Outcome.UPSTREAM_STALLED else ErrorKind.API_ERROR
            said = self._translator.break_off(Failed(kind, f"The provider's answer broke off: {self._source.problem}"))
        else:
            said = self._said(self._translator.finish)
        if self._translator.failed is not None:
            self._conclude()
        if self._translator.losses:
            losses = self._record.losses + self._translator.losses
            self._source.exchange.translated(msgspec.structs.replace(self._record, losses=losses))
        return said

    def _conclude(self) -> None:
        failed = self._translator.failed
        if failed is not None:
            self._source.overrule(Outcome.UPSTREAM_ERROR, failed.message)

    def _is_silent(self) -> bool:
        now = monotonic()
        if now - self._last < SILENCE_SECONDS - 0.1:
            return False
        self._last = now
        return True

    def _look(self) -> None:
        """Wake the reader when nothing was said for too long. One timer for each stream, moved when it fires."""
        silent = monotonic() - self._last
        wait = SILENCE_SECONDS - silent
        if wait <= 0:
            self._response.stream.nudge()  # type: ignore[union-attr]
            wait = SILENCE_SECONDS
        self._timer = self._loop.call_later(wait, self._look)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
