"""Housekeeping calls of Claude Code, recognised and answered without a model, for routes that allow it.

What is answered is what a person would have accepted from a small model: never more than the call itself says. Anything
that is not clearly such a call goes to the provider.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection
from typing import Final

from gateway.dialects.answer import Answer, Stop, StopReason, Usage
from gateway.dialects.names import Shortcut
from gateway.dialects.turn import Message, Request, Role, Text

_TITLE_WISHES: Final = ("write a 5-10 word title", "your result will be used as the conversation title")
_TITLE_PAIR: Final = ("summarize the following user request", "conversation title")
_TITLE: Final = "Conversation"
_SUGGESTION: Final = "[SUGGESTION MODE:"
_COMMAND: Final = re.compile(r"^Command:[ \t]*(.*?)(?=^Output:|\Z)", re.MULTILINE | re.DOTALL)
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*=")
_INJECTION: Final = re.compile(r"`|\$\(|\n")
_TWO_WORDS: Final = frozenset({"git", "npm", "docker", "kubectl", "cargo", "go", "pip", "yarn"})
_READERS: Final = frozenset({"cat", "head", "tail", "less", "more", "bat", "type", "grep"})
_WITH_PATTERN: Final = frozenset({"grep"})
_WITH_VALUE: Final = frozenset({"-n", "-c", "-A", "-B", "-C", "-e", "-m"})


def answer_shortcut(request: Request, allowed: Collection[Shortcut]) -> tuple[Shortcut, Answer] | None:
    """Which short cut the request is and what it is answered; None when it is none of those `allowed`."""
    if request.tools:
        return None
    for shortcut, find in _FINDERS.items():
        if shortcut in allowed and (said := find(request)) is not None:
            return shortcut, _answer(request, said)
    return None


def _answer(request: Request, said: str) -> Answer:
    usage = Usage(input_tokens=0, output_tokens=0, cache_read_tokens=0, cache_write_tokens=0)
    content = (Text(said),) if said else ()
    return Answer(f"msg_{request.tag.replace('-', '')}", request.model, content, Stop(StopReason.END), usage)


def _quota(request: Request) -> str | None:
    asked = request.max_tokens == 1 and len(request.messages) == 1
    return "Quota check passed." if asked and "quota" in text_of(request.messages[0]).lower() else None


def _prefix(request: Request) -> str | None:
    text = text_of(request.messages[0]) if len(request.messages) == 1 else ""
    command = _command_in(text) if "<policy_spec>" in text else None
    return None if command is None else command_prefix(command)


def _title(request: Request) -> str | None:
    text = _last_user_text(request).lower()
    if not (any(wish in text for wish in _TITLE_WISHES) or all(half in text for half in _TITLE_PAIR)):
        return None
    form = request.output_format
    if form is None or form.kind == "text":
        return _TITLE
    return f'{{"title":"{_TITLE}"}}' if '"title"' in form.schema else None


def _suggestion(request: Request) -> str | None:
    users = (message for message in request.messages if message.role is Role.USER)
    return "" if any(_SUGGESTION in text_of(message) for message in users) else None


def _filepaths(request: Request) -> str | None:
    text = _last_user_text(request)
    if "Output:" not in text or "filepaths" not in text.lower() + system_text(request).lower():
        return None
    command = _command_in(text)
    if command is None:
        return None
    return "<filepaths>\n" + "".join(f"{path}\n" for path in paths_read(command)) + "</filepaths>"


_FINDERS: Final[dict[Shortcut, Callable[[Request], str | None]]] = {
    Shortcut.QUOTA: _quota,
    Shortcut.PREFIX: _prefix,
    Shortcut.TITLE: _title,
    Shortcut.SUGGESTION: _suggestion,
    Shortcut.FILEPATHS: _filepaths,
}


def command_prefix(command: str) -> str:
    """The part of a shell command that a permission is asked for; `none` for one without, and
    `command_injection_detected` for one that holds another."""
    if _INJECTION.search(command):
        return "command_injection_detected"
    words = _words(command)
    if words is None:
        return "none"
    settings = 0
    while settings < len(words) and _ASSIGNMENT.match(words[settings]):
        settings += 1
    if settings == len(words):
        return "none"
    name = words[settings]
    follows = words[settings + 1] if len(words) > settings + 1 else ""
    two = name in _TWO_WORDS and follows and not follows.startswith("-")
    return " ".join(words[: settings + (2 if two else 1)])


def paths_read(command: str) -> list[str]:
    """The files whose contents a command showed; none for one that only lists."""
    words = _words(command.partition("|")[0])
    if not words or words[0] not in _READERS:
        return []
    found: list[str] = []
    skip = words[0] in _WITH_PATTERN
    takes_value = False
    for word in words[1:]:
        if takes_value:
            takes_value = False
        elif word.startswith("-"):
            takes_value = word in _WITH_VALUE
        elif skip:
            skip = False
        else:
            found.append(word)
    return found


def _words(command: str) -> list[str] | None:
    try:
        return shlex.split(command)
    except ValueError:
        return None


def _command_in(text: str) -> str | None:
    found = list(_COMMAND.finditer(text))
    return found[-1][1].strip() if found and found[-1][1].strip() else None


def _last_user_text(request: Request) -> str:
    return next((text_of(m) for m in reversed(request.messages) if m.role is Role.USER), "")


def text_of(message: Message) -> str:
    return "\n".join(part.text for part in message.content if isinstance(part, Text))


def system_text(request: Request) -> str:
    return "\n".join(part.text for part in request.system if isinstance(part, Text))
