"""Golden transcripts of translations: what each side said, in one text file for each.

A file begins with lines `name: value` (caller, provider, profile, status, content-type, cut), then come sections, each
after a line `=== TITLE`. What the caller asks and what the provider answers are given; the other sections are what the
gateway makes of them. `python -m tests.transcripts` writes those anew: look at the difference before you keep it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from gateway.dialects.failures import ErrorKind
from gateway.dialects.names import Dialect
from gateway.dialects.profiles import PROFILES
from gateway.dialects.translation import AnswerTranslator, Translation, translate_request
from gateway.dialects.turn import Refused

_TITLE = re.compile("^=== ", re.MULTILINE)
FOLDER = Path(__file__).parent / "golden"
ASKS, ASKED, LOST = "the caller asks", "the provider is asked", "what is lost"
ANSWERS, GETS, FAILS = "the provider answers", "the caller gets", "why it fails"
TAG = "019ac1c5-0000-7000-8000-000000000000"


@dataclass
class Transcript:
    path: Path
    settings: dict[str, str]
    sections: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.path.parent.name}: {self.path.stem}"

    @property
    def caller(self) -> Dialect:
        return Dialect(self.settings["caller"])

    @property
    def provider(self) -> Dialect:
        return Dialect(self.settings["provider"])

    @property
    def answer(self) -> bytes:
        """What the provider sent; `cut` says how many bytes of it never came."""
        whole = self.sections[ANSWERS].encode()
        return whole[: len(whole) - int(self.settings.get("cut", "0"))]

    def translation(self) -> Translation:
        """Raises Refused."""
        profile = PROFILES[self.settings.get("profile", "default")]
        body = self.sections[ASKS].encode()
        return translate_request(self.caller, self.provider, profile, body, model="the-other-model", tag=TAG)

    def translator(self, translation: Translation) -> AnswerTranslator:
        content_type = self.settings.get("content-type", "text/event-stream")
        return AnswerTranslator(translation, int(self.settings.get("status", "200")), content_type)

    def played(self) -> dict[str, str]:
        """The sections as the gateway makes them now, with those that are given."""
        made = {ASKS: self.sections[ASKS]}
        try:
            translation = self.translation()
        except Refused as refused:
            return made | {FAILS: f"{ErrorKind.INVALID_REQUEST}: {refused.message}\n"}
        made[ASKED] = pretty(translation.encoded.body) + headers(translation.encoded.headers)
        losses = [f"{loss.field}: {loss.reason}\n" for loss in translation.losses]
        if ANSWERS in self.sections:
            translator = self.translator(translation)
            said = translator.feed(self.answer) + translator.finish()
            losses += [f"{loss.field}: {loss.reason}\n" for loss in translator.losses]
            made |= {ANSWERS: self.sections[ANSWERS], GETS: readable(said)}
            if translator.failed is not None:
                made[FAILS] = f"{translator.failed.status} {translator.failed.kind}: {translator.failed.message}\n"
        return {**made, LOST: "".join(losses)}

    def write(self) -> None:
        head = "".join(f"{name}: {value}\n" for name, value in self.settings.items())
        order = (ASKS, ASKED, LOST, ANSWERS, GETS, FAILS)
        played = self.played()
        parts = [f"=== {title}\n{played[title]}" for title in order if played.get(title)]
        self.path.write_text(head + "".join(parts), encoding="utf-8", newline="")


def pretty(body: bytes) -> str:
    return json.dumps(json.loads(body), ensure_ascii=False, indent=1) + "\n"


def headers(pairs: Iterable[tuple[bytes, bytes]]) -> str:
    return "".join(f"{name.decode()}: {value.decode()}\n" for name, value in pairs)


def readable(said: bytes) -> str:
    return pretty(said) if said[:1] == b"{" else said.decode()


def read(path: Path) -> Transcript:
    head, *parts = _TITLE.split(path.read_bytes().decode())
    settings = dict(line.split(": ", 1) for line in head.splitlines())
    sections = dict(part.split("\n", 1) for part in parts)
    return Transcript(path, settings, sections)


def transcripts() -> list[Transcript]:
    return [read(path) for path in sorted(FOLDER.glob("*/*.txt"))]


def events_of(transcript: Transcript, pieces: Iterable[bytes]) -> bytes:
    """The neutral events of the provider's answer, cut into `pieces`, as something to compare."""
    translator = transcript.translator(transcript.translation())
    said = b"".join([*(translator.feed(piece) for piece in pieces), translator.finish()])
    return said + msgspec.json.encode(translator.failed)
