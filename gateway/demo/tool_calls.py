"""What a made-up agent's tools are called with, and what they answer."""

from __future__ import annotations

import random

from gateway.demo.texts import Texts
from gateway.dialects.json_values import JSONObject

TOOLS = ("Read", "Edit", "Bash", "Grep", "Write", "Task", "WebFetch", "TodoWrite", "mcp__tracker__search")
STATES = ("completed", "completed", "in_progress", "pending")


class ToolCalls:
    """Drawn from the same random source as the texts."""

    def __init__(self, source: random.Random, texts: Texts) -> None:
        self.random = source
        self.texts = texts

    def given(self, name: str) -> JSONObject:
        """The input of a call."""
        texts = self.texts
        if name == "Bash":
            return {"command": f"pytest -q {texts.path()}", "description": "Run the tests of the module"}
        if name == "Edit":
            old, new = texts.code(3), texts.code(4)
            return {"file_path": texts.path(), "old_string": old, "new_string": f"{old.splitlines()[0]}\n{new}"}
        if name == "Write":
            return {"file_path": texts.path(), "content": texts.code(9)}
        if name == "Read":
            return {"file_path": texts.path()}
        if name == "Task":
            return {"description": "Look around", "prompt": texts.ask(), "subagent_type": "general-purpose"}
        if name == "WebFetch":
            return {"url": f"https://docs.example.org/{texts.path()}", "prompt": texts.ask()}
        if name == "TodoWrite":
            return {"todos": [{"content": texts.say(), "status": state, "activeForm": "Working"} for state in STATES]}
        return {"pattern": texts.name()} if name == "Grep" else {"query": texts.say()}

    def answer(self, name: str) -> str:
        """What the tool says, when all is well."""
        lines = self.random.randrange(2, 24)
        if name == "Bash":
            return f"{'.' * lines}\n{lines} passed in {lines / 20:.2f}s"
        if name in ("Edit", "Write"):
            return "The file has been updated."
        if name == "TodoWrite":
            return "Todos have been modified."
        if name in ("Task", "WebFetch"):
            return f"## What was found\n\n- {self.texts.say()}\n- {self.texts.say()}"
        return self.texts.source(lines)
