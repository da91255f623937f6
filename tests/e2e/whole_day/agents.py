"""Agents at work: requests under way for as long as somebody looks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.e2e.whole_day.windows import KEYS, Day

AGENTS = (
    ("ada", "claude-opus-5-5", "0d9c3a51-6b1e-4b7a-9f0e-7a8fd5a0c001", "", "claude-cli/2.1.329 (external, cli)"),
    ("ada", "claude-haiku-5-5", "0d9c3a51-6b1e-4b7a-9f0e-7a8fd5a0c001", "explore-3f", "claude-cli/2.1.329"),
    ("ben", "claude-opus-5-5", "5e7710f2-93d4-4c55-8a3b-1d2c3b4a0002", "", "claude-cli/2.1.329 (external, cli)"),
    ("cleo", "claude-sonnet-5-5", "b2f4c9aa-17d0-4f6a-b6f3-3c1d9e8f0003", "", "Anthropic/Python 2.11.0"),
)
"""Who is at work: key, model, session, subagent, client."""

PATIENCE = 120
"""Seconds; a browser may have the machine to itself for a while."""


@contextmanager
def at_work(day: Day) -> Iterator[None]:
    """Each agent sends one request after the other until this ends."""
    done = threading.Event()
    threads = [threading.Thread(target=work, args=(day, done, *agent)) for agent in AGENTS]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join(PATIENCE)


def work(day: Day, done: threading.Event, name: str, model: str, session: str, agent: str, client: str) -> None:
    tools = [
        {"name": tool, "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}
        for tool in ("Bash", "Edit", "Grep")
    ]
    number = 0
    while not done.is_set():
        number += 1
        messages = [{"role": "user", "content": f"use the tool {('Bash', 'Edit', 'Grep')[number % 3]}"}]
        asked = {"model": model, "stream": True, "messages": messages, "max_tokens": 4096, "tools": tools}
        headers = {
            "x-api-key": KEYS[name],
            "x-scenario": "slow;ms=250;first_ms=600",
            "x-claude-code-session-id": session,
            "user-agent": client,
            **({"x-claude-code-agent-id": agent} if agent else {}),
        }
        url = f"{day.web.url}/v1/messages"
        assert httpx.post(url, json=asked, headers=headers, timeout=PATIENCE, trust_env=False).status_code == 200
