"""What a header rule may say, and what whoever writes it should know."""

from __future__ import annotations

import re
from typing import Final

from gateway.policy.header_patterns import compile_pattern
from gateway.policy.header_rules import LONGEST_VALUE, Action, Direction
from gateway.policy.redaction import is_secret_name, looks_like_key

NAME: Final = re.compile(r"[!#$%&'*+.^`|~0-9A-Za-z-]+")
"""A token without `_`, which servers behind a gateway may read as `-`."""
LONGEST_NAME: Final = 100
LONGEST_WRITTEN: Final = 4096
FRAMING: Final = frozenset(
    {
        "connection", "content-encoding", "content-length", "expect", "host", "keep-alive", "proxy-authenticate",
        "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings",
    }
)  # fmt: skip
OWN: Final = "x-turnlog-"
CREDENTIALS: Final = frozenset({"authorization", "x-api-key"})
GROUP: Final = re.compile(rb"\\(.?)", re.DOTALL)
SAMPLE: Final = b""


def check_rule(
    *, direction: str, header: str, action: str, value: str, find: str, is_pattern: bool, danger: bool
) -> dict[str, str]:
    """What is wrong, by field; empty when nothing is."""
    problems: dict[str, str] = {}
    said = check_name(header) or check_reach(direction, header.lower(), danger=danger)
    if said:
        problems["header"] = said
    said = check_value(value) or check_use(action, value)
    if said:
        problems["value"] = said
    said = check_find(action, find, is_pattern=is_pattern)
    if said:
        problems["find"] = said
    elif is_pattern and action == Action.REPLACE and "value" not in problems:
        said = check_groups(find, value)
        if said:
            problems["value"] = said
    if is_pattern and action != Action.REPLACE:
        problems["is_pattern"] = "Only a replacement looks for something."
    return problems


def check_name(header: str) -> str:
    if not NAME.fullmatch(header) or len(header) > LONGEST_NAME:
        return "A header's name is letters, digits and hyphens: no blanks, no line breaks, no underscores."
    return ""


def check_reach(direction: str, name: str, *, danger: bool) -> str:
    if name in FRAMING:
        return f"{name} frames the message between two machines, and belongs to the gateway."
    if name.startswith(OWN):
        return f"{name} is Turnlog's own."
    if direction == Direction.REQUEST and name in CREDENTIALS and not danger:
        return (
            f"{name} carries the provider's credential: without it every request fails. Credentials are set at the "
            "provider; tick 'danger' if this is meant all the same."
        )
    return ""


def check_value(value: str) -> str:
    if any(character in value for character in "\r\n\0"):
        return "A value holds no line breaks and no NUL: they would begin another header."
    if not value.isascii() or not value.isprintable():
        return "A value is printable ASCII."
    if value != value.strip():
        return "A value begins and ends without blanks: they would be lost on the way."
    if len(value) > LONGEST_WRITTEN:
        return f"A value has at most {LONGEST_WRITTEN} characters."
    return ""


def check_use(action: str, value: str) -> str:
    if action == Action.SET and not value:
        return "Set needs a value; block removes the header."
    if action == Action.BLOCK and value:
        return "Block removes the header and takes no value."
    if looks_like_key(value.encode()):
        return "This looks like a key. Rules are shown and exported in clear: keys belong to a provider's credentials."
    return ""


def check_find(action: str, find: str, *, is_pattern: bool) -> str:
    if action != Action.REPLACE:
        return "Only a replacement looks for something." if find else ""
    if not find:
        return "A replacement needs what to look for."
    said = check_value(find.strip(" "))
    if said or not is_pattern:
        return said
    try:
        pattern = compile_pattern(find.encode())
    except ValueError as error:
        return f"RE2 does not take it: {error}. It knows no looking around and no back-references."
    if pattern.search(SAMPLE):
        return "It finds nothing at all too, and would be replaced everywhere: ask for one character or more."
    return ""


def check_groups(find: str, value: str) -> str:
    """The value of a pattern may say `\\1` for its first group; a backslash stands as `\\\\`."""
    import re2

    groups = re2.compile(find.encode()).groups
    for escaped in GROUP.findall(value.encode()):
        if escaped == b"\\":
            continue
        if not escaped.isdigit() or escaped == b"0":
            return "After a backslash the number of a group is needed; write \\\\ for a backslash."
        if int(escaped) > groups:
            return f"The pattern has {groups} groups; \\{escaped.decode()} is none of them."
    return ""


def warnings_about(*, direction: str, header: str, action: str, value: str) -> list[str]:
    """What should be known before such a rule goes live."""
    name, warned = header.lower(), []
    if name == "anthropic-beta":
        warned.append(
            "anthropic-beta travels with fields of the body: taken away alone, the provider answers 400 and names the "
            "field, or silently does less. With a claude.ai login it also opens the door: without its oauth value the "
            "provider answers 401."
        )
    elif name == "anthropic-version":
        warned.append("anthropic-version is needed by every request, and says how bodies are to be read.")
    elif name.startswith("anthropic-ratelimit-"):
        warned.append("Claude Code shows its standing and stops by these headers.")
    elif name.startswith("anthropic-"):
        warned.append("Headers that begin with anthropic- belong to Claude Code's contract: clients rely on them.")
    if name in ("request-id", "x-request-id", "retry-after", "x-should-retry") and direction == Direction.RESPONSE:
        warned.append("Clients act on this header: they retry by it, or name it when they ask for help.")
    if name == "content-type":
        warned.append("content-type says how the body is to be read.")
    if is_secret_name(name):
        warned.append("This header may carry a credential.")
    if name in ("set-cookie", "cookie") and action != Action.BLOCK:
        warned.append("A cookie set here is the same for everybody.")
    if len(value) > LONGEST_VALUE // 16:
        warned.append("Every request carries this long value.")
    return warned


def touches_contract(name: bytes) -> bool:
    """Whether a header belongs to what Claude Code and Anthropic agreed on."""
    return name.startswith(b"anthropic-")
