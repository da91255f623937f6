"""Conversations as Claude Code sends them, turn after turn: everything again, and two new messages.

Its prompt, tools and headers are those of a captured exchange. What it changes between turns is kept too: the cache
mark moves to the last message, a message that bore it turns into a plain string, three digits of the attribution line
change.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from bench.bodies import captured, encode

TEXT = """
return import value index error result request stream buffer path config handler session table column update delete
select insert context worker thread queue retry timeout header cookie token digest scope branch commit merge parse
encode decode reader writer socket server client remote local cache entry bucket shard month
"""
WORDS = TEXT.split()
MARK = {"cache_control": {"type": "ephemeral"}}


def conversation(seed: int, turns: int, result_bytes: tuple[int, int] = (1_000, 20_000)) -> Iterator[bytes]:
    """The request bodies of one session; each turn adds a tool call and its result of a random size in that range."""
    words = random.Random(seed)
    body = captured()["body"]
    messages: list[dict[str, Any]] = [{"role": "user", "content": [{"type": "text", "text": sentence(words, 40)}]}]
    for turn in range(turns):
        yield encode(with_marks(body, messages, words))
        use = {
            "type": "tool_use",
            "id": f"toolu_{seed:04}{turn:020}",
            "name": "Read",
            "input": {"file_path": path(words)},
        }
        messages.append({"role": "assistant", "content": [{"type": "text", "text": sentence(words, 20)}, use]})
        text = source(words, words.randint(*result_bytes))
        result = {"tool_use_id": use["id"], "type": "tool_result", "content": text}
        messages.append({"role": "user", "content": [result]})


def with_marks(body: dict[str, Any], messages: list[dict[str, Any]], words: random.Random) -> dict[str, Any]:
    first, *system = body["system"]
    text = f"x-anthropic-billing-header: cc_version=2.1.329.{words.randrange(4096):03x}; cc_entrypoint=sdk-cli;"
    last = json.loads(json.dumps(messages[-1]))
    last["content"][-1] |= MARK
    return body | {
        "messages": [*(settled(message) for message in messages[:-1]), last],
        "system": [first | {"text": text}, *system],
        "metadata": {"user_id": json.dumps({"device_id": "0" * 64, "session_id": f"{id(messages):032x}"})},
    }


def settled(message: dict[str, Any]) -> dict[str, Any]:
    content = message["content"]
    if len(content) == 1 and content[0]["type"] == "text":
        return message | {"content": content[0]["text"]}
    return message


def sentence(words: random.Random, count: int) -> str:
    return " ".join(words.choices(WORDS, k=count)) + "."


def path(words: random.Random) -> str:
    return f"/app/{words.choice(WORDS)}/{words.choice(WORDS)}_{words.choice(WORDS)}.py"


def source(words: random.Random, size: int) -> str:
    """Numbered lines that compress about as code does."""
    lines, written, number = [], 0, 0
    while written < size:
        number += 1
        name, verb = words.choice(WORDS), words.choice(WORDS)
        value = f"{words.choice(WORDS)}={words.randrange(10_000)}"
        line = f"{number:6}\t    {name}_{words.randrange(100)} = self.{verb}({value})"
        lines.append(
            line if number % 7 else f"{number:6}\tdef {verb}_{name}(self, {words.choice(WORDS)}: int) -> None:"
        )
        written += len(lines[-1]) + 1
    return "\n".join(lines)
