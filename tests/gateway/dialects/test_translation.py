"""Whole exchanges translated, against golden transcripts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.dialects.anthropic import grammar as anthropic
from gateway.dialects.chat import grammar as chat
from gateway.dialects.names import Dialect
from gateway.dialects.responses import grammar as responses
from tests.gateway.dialects.streams import decode
from tests.transcripts.golden import ANSWERS, GETS, Transcript, events_of, transcripts
from tests.upstream.sse_variants import bom, comments, cr, crlf, no_final_blank, unknown_events

SHORT = 700
STRIDE = 13
GRAMMARS = {Dialect.ANTHROPIC: anthropic, Dialect.CHAT: chat, Dialect.RESPONSES: responses}
ALL = transcripts()
ANSWERED = [transcript for transcript in ALL if ANSWERS in transcript.sections]
STREAMED = [transcript for transcript in ANSWERED if transcript.sections.get(GETS, "")[:1] in ("e", "d", ":")]


@pytest.mark.parametrize("transcript", ALL, ids=str)
def test_it_says_what_the_transcript_says(transcript: Transcript) -> None:
    made = transcript.played()
    assert {title: text for title, text in made.items() if text} == transcript.sections


@pytest.mark.parametrize("transcript", STREAMED, ids=str)
def test_a_translated_stream_keeps_its_grammar(transcript: Transcript) -> None:
    stream = transcript.sections[GETS].encode()
    assert GRAMMARS[transcript.caller].violations(decode(stream)) == []


@pytest.mark.parametrize("transcript", ANSWERED, ids=str)
def test_an_answer_cut_anywhere_says_the_same(transcript: Transcript) -> None:
    answer = transcript.answer
    whole = events_of(transcript, [answer])
    assert events_of(transcript, [answer[start : start + 1] for start in range(len(answer))]) == whole
    # All the cuts at once were tried above; two pieces are tried at every byte of the short ones.
    for cut in range(0, len(answer), 1 if len(answer) < SHORT else STRIDE):
        assert events_of(transcript, [answer[:cut], answer[cut:]]) == whole, f"cut at byte {cut}"


def several_lines(events: list[bytes]) -> list[bytes]:
    return [event.replace(b"data: {", b"data: {\ndata: ") for event in events]


def over_64_kib(events: list[bytes]) -> list[bytes]:
    return [event.replace(b"data: {", b"data: {" + b" " * 70_000) for event in events]


FRAMINGS = (crlf, cr, comments, bom, no_final_blank, unknown_events, several_lines, over_64_kib)
FRAMED = [
    transcript for transcript in ANSWERED if b"data: {" in transcript.answer and transcript.answer[-2:] == b"\n\n"
]


@pytest.mark.parametrize("framing", FRAMINGS, ids=lambda framing: framing.__name__)
def test_an_answer_framed_otherwise_says_the_same(framing: Callable[[list[bytes]], list[bytes]]) -> None:
    assert {(transcript.caller, transcript.provider) for transcript in FRAMED} >= {
        (caller, provider) for caller in GRAMMARS for provider in GRAMMARS if caller is not provider
    }
    for transcript in FRAMED:
        events = [event + b"\n\n" for event in transcript.answer.split(b"\n\n") if event]
        framed = b"".join(framing(events))
        assert framed != transcript.answer
        assert events_of(transcript, [framed]) == events_of(transcript, [transcript.answer]), str(transcript)
