"""CPU time of translating one streamed answer, by direction: microseconds for each event, without network and record.

    python -m bench.translation_micro [--rounds 7] [--events 200]

The provider's stream comes in chunks of one event, as tokens do, and of eight, as they do when the reader is behind.
CPU time is this process's own. Absolute numbers belong to the machine.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable

from gateway.dialects.answer import Answer, Stop, StopReason, TextDelta, Usage
from gateway.dialects.codecs import CODECS
from gateway.dialects.folding import unfold
from gateway.dialects.names import Dialect
from gateway.dialects.profiles import PROFILES
from gateway.dialects.translation import AnswerTranslator, Translation, translate_request
from gateway.dialects.turn import Request, Text

TAG = "019ac1c5-0000-7000-8000-000000000000"
STREAMS = 40
TOOL = {"type": "object", "properties": {"command": {"type": "string"}}}
QUESTIONS = {
    Dialect.ANTHROPIC: {
        "max_tokens": 64,
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [{"name": "Bash", "input_schema": TOOL}],
    },
    Dialect.CHAT: {
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [{"type": "function", "function": {"name": "Bash", "parameters": TOOL}}],
        "stream_options": {"include_usage": True},
    },
    Dialect.RESPONSES: {"input": "Hi", "tools": [{"type": "function", "name": "Bash", "parameters": TOOL}]},
}


def stream(dialect: Dialect, events: int) -> list[bytes]:
    """So many text events of a provider of `dialect`, each by itself."""
    encoder = CODECS[dialect].encode_stream(Request("m", (), stream=True, include_usage=True, tag=TAG))
    told = unfold(Answer("id", "m", (Text(""),), Stop(StopReason.END), Usage(20, events)))
    words = [TextDelta(f"token {number} ") for number in range(events)]
    start, end = told[:1], told[2:]
    return [encoder.encode(start), *(encoder.encode([word]) for word in words), encoder.encode(end)]


def translation(caller: Dialect, provider: Dialect) -> Translation:
    body = json.dumps({"model": "m", "stream": True, **QUESTIONS[caller]}).encode()
    return translate_request(caller, provider, PROFILES["vllm"], body, model=None, tag=TAG)


def cost(plan: Translation, chunks: list[bytes], events: int) -> float:
    """Microseconds of CPU for each event."""
    began = time.process_time()
    for _ in range(STREAMS):
        translator = AnswerTranslator(plan, 200, "text/event-stream")
        for chunk in chunks:
            translator.feed(chunk)
        translator.finish()
        if translator.failed is not None:
            raise RuntimeError(translator.failed.message)
    return (time.process_time() - began) / STREAMS / events * 1e6


def joined(chunks: list[bytes], size: int) -> list[bytes]:
    return [b"".join(chunks[start : start + size]) for start in range(0, len(chunks), size)]


def directions() -> Iterable[tuple[Dialect, Dialect]]:
    return [(caller, provider) for caller in CODECS for provider in CODECS if caller is not provider]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--events", type=int, default=200)
    options = parser.parse_args()
    print("CPU microseconds for each event, the best of all rounds: chunks of 1 event, of 8")
    for caller, provider in directions():
        plan, chunks = translation(caller, provider), stream(provider, options.events)
        best = [min(cost(plan, joined(chunks, size), options.events) for _ in range(options.rounds)) for size in (1, 8)]
        print(f"{caller.value:9} over {provider.value:9}  {best[0]:6.2f}  {best[1]:6.2f}", flush=True)


if __name__ == "__main__":
    main()
