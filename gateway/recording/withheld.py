"""How one exchange is kept where a policy says that not all of it is.

What is withheld never reaches the spool's writer as bytes to be written. Of an answer whose bytes are not kept the
usage is read on the writer's thread, in memory, when it has ended.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import structlog

from gateway.dialects.accumulate import accumulate
from gateway.dialects.json_values import write_json
from gateway.dialects.names import BROKEN, Dialect
from gateway.policy.capture import CaptureMode, CaptureRule, known_values
from gateway.policy.masking import Unmaskable, mask
from gateway.recording.counters import Counters, Slot
from gateway.recording.records import Admission, Attempt, End, MeteredAnswer

METERED_BYTES = 32 * 1024 * 1024
"""An answer larger than this has a usage that nobody knows."""
HeaderPairs = Sequence[tuple[bytes, bytes]]

log = structlog.get_logger(__name__)
replace = msgspec.structs.replace


class Withheld:
    """One for each exchange that a policy is for, other than one that keeps everything as it comes."""

    def __init__(self, rule: CaptureRule, dialect: str) -> None:
        self.rule = rule
        self.only_metadata = rule.mode is CaptureMode.METADATA
        self.left = 0 if self.only_metadata else rule.max_bytes
        """Bytes of the answer that may still be kept; None: any number."""
        self.kept_as = "metadata" if self.only_metadata else "full"
        self.dialect = dialect
        self.content_type = self.content_encoding = ""
        self.mask_failed = False
        self._answer: list[bytes] | None = []
        self._size = 0

    # On the event loop.

    def admission(self, admission: Admission) -> Admission:
        if not self.only_metadata:
            return admission
        return replace(admission, headers=known_values(admission.headers), query="")

    def headers(self, pairs: HeaderPairs) -> HeaderPairs:
        """Those of the answer, as they may be kept."""
        for name, value in pairs:
            lower = name.lower()
            if lower == b"content-type":
                self.content_type = value.decode("latin-1")
            elif lower == b"content-encoding":
                self.content_encoding = value.decode("latin-1")
        return known_values(pairs) if self.only_metadata else pairs

    def takes_body(self, body: bytes) -> bool:
        if self.only_metadata:
            return False
        if self.rule.masks:
            self.kept_as = "masked"
        if self.rule.max_bytes is not None and len(body) > self.rule.max_bytes:
            self.kept_as = "capped"
        return True

    def takes_chunk(self, size: int) -> bool:
        """Whether the next bytes of the answer are kept; once some are not, none are."""
        if self.left is None:
            return True
        self.left = self.left - size if size <= self.left else -1
        if self.left >= 0:
            return True
        if not self.only_metadata:
            self.kept_as = "capped"
        return False

    @property
    def meters(self) -> bool:
        """Whether its usage has to be read here, because the answer may not be kept whole."""
        return self.left is not None

    def end(self, end: End) -> End:
        """Words of the provider's or of a refusal's may quote what was said."""
        if not self.only_metadata:
            return end
        attempts = [without_words(attempt) for attempt in end.attempts]
        return replace(end, error=end.error if end.outcome in BROKEN else None, attempts=attempts)

    # On the writer's thread.

    def stored(self, body: bytes) -> bytes | None:
        """The body as it is written; None: it could not be masked, and is not."""
        if self.rule.masks:
            try:
                body = mask(body, self.rule.masks)
            except Exception as error:
                if not isinstance(error, Unmaskable):
                    log.exception("body not masked, and not kept", policy=self.rule.name)
                self.mask_failed = True
                return None
        return body if self.rule.max_bytes is None else body[: self.rule.max_bytes]

    def feed(self, chunks: list[bytes]) -> None:
        self._size += sum(map(len, chunks))
        if self._answer is not None:
            self._answer += chunks
        if self._size > METERED_BYTES:
            self.lose()

    def lose(self) -> None:
        """A part of the answer did not get here: what would be read out of the rest is not true."""
        self._answer = None

    def read(self) -> MeteredAnswer:
        parts, self._answer = self._answer, None
        if not parts:
            return MeteredAnswer()
        found = accumulate(Dialect(self.dialect), self.content_type, self.content_encoding, b"".join(parts))
        usage = b"" if found.usage is None else write_json(found.usage)
        return MeteredAnswer(usage, found.model, found.stop_reason, found.error_type, found.is_stream, found.complete)


def withhold(policy: CaptureRule, admission: Admission, counters: Counters) -> tuple[Withheld, Admission]:
    """The admission as it may be kept, naming its policy."""
    withheld = Withheld(policy, admission.dialect)
    if withheld.only_metadata:
        counters.add(Slot.KEPT_METADATA)
    elif policy.masks:
        counters.add(Slot.KEPT_MASKED)
    return withheld, replace(withheld.admission(admission), capture_policy=policy.told)


def without_words(attempt: Attempt) -> Attempt:
    return replace(attempt, error="refused") if attempt.phase == "plan" else attempt
