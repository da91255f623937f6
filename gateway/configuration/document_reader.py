"""Reads YAML nodes, which know their lines, into values; what is wrong is collected, each with its line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import yaml

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class WrongDocument(ValueError):
    """The document cannot be used; one line for each mistake."""


class Reader:
    """Walks the YAML nodes, which know their lines, and collects what is wrong."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def complain(self, node: yaml.Node, text: str) -> None:
        self.problems.append(f"line {node.start_mark.line + 1}: {text}")

    def mapping(self, node: yaml.Node, known: Mapping[str, Any], what: str) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            self.complain(node, f"{what} needs the form name: value")
            return {}
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = str(key.value)
            if name not in known:
                self.complain(key, f"{what} has no {name!r}; it takes {', '.join(known)}")
            elif name in found:
                self.complain(key, f"{name!r} stands twice in this {what}")
            else:
                found[name] = value
        return found

    def items(self, node: yaml.Node, what: str) -> list[yaml.Node]:
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        self.complain(node, f"{what} needs a list")
        return []

    def record(self, node: yaml.Node, fields: Mapping[str, Field], build: Callable[..., Any], what: str) -> Any | None:
        """A specification made of a mapping; None, with a complaint, when something in it is wrong."""
        before = len(self.problems)
        found = self.mapping(node, fields, what)
        values: dict[str, Any] = {}
        columns: dict[str, Any] = {}
        for name, rule in fields.items():
            if name not in found:
                if rule.required:
                    self.complain(node, f"this {what} needs {name!r}")
                continue
            try:
                (columns if rule.is_column else values)[name] = rule.read(self, found[name])
            except ValueError as error:
                self.complain(found[name], f"{name}: {error}")
        if len(self.problems) > before:
            return None
        return build(line=node.start_mark.line + 1, columns=columns, **values)

    def records(self, node: yaml.Node, fields: Mapping[str, Field], build: Any, what: str, key: str) -> tuple[Any, ...]:
        """The specifications of a list; no two may have the same `key`, if one is named."""
        built = [(item, self.record(item, fields, build, what)) for item in self.items(node, f"the list of {what}s")]
        seen: set[str] = set()
        for item, spec in built:
            name = getattr(spec, key, None) if key else None
            if key and name in seen and spec is not None:
                self.complain(item, f"the {what} {name!r} stands there twice")
            seen.add(name or "")
        return tuple(spec for _, spec in built if spec is not None)


@dataclass(frozen=True)
class Field:
    """`is_column`: it is a column of the section's table and nothing else is to be known of it."""

    read: Callable[[Reader, yaml.Node], Any]
    required: bool = False
    is_column: bool = False


def scalar(node: yaml.Node) -> Any:
    if not isinstance(node, yaml.ScalarNode):
        raise ValueError("needs a single value")
    return yaml.SafeLoader("").construct_object(node)


def text(_: Reader, node: yaml.Node) -> str:
    if scalar(node) is None or not str(node.value).strip():
        raise ValueError("needs text")
    # As it is written: YAML would make a number of a model called 4.10.
    return str(node.value)


def optional_text(_: Reader, node: yaml.Node) -> str:
    return "" if scalar(node) is None else str(node.value)


def team_name(reader: Reader, node: yaml.Node) -> str | None:
    return None if scalar(node) is None else name(reader, node)


def name(_: Reader, node: yaml.Node) -> str:
    value = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
    if not NAME.fullmatch(value):
        raise ValueError("needs a name of lower-case letters, digits, dots, underscores and hyphens")
    return value


def flag(_: Reader, node: yaml.Node) -> bool:
    value = scalar(node)
    if not isinstance(value, bool):
        raise ValueError("needs true or false")
    return value


def position(_: Reader, node: yaml.Node) -> int:
    value = scalar(node)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
        raise ValueError("needs a whole number of zero or more")
    return value


def digest(_: Reader, node: yaml.Node) -> str:
    value = str(node.value)
    if not re.fullmatch(r"[0-9a-f]{64}", value):
        raise ValueError("needs 64 hex digits, as an export writes them")
    return value


def moment(_: Reader, node: yaml.Node) -> datetime | None:
    value = scalar(node)
    if value is None:
        return None
    if isinstance(value, str):
        value = moment_of_text(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime):
        raise ValueError("needs a time such as 2027-01-01T00:00:00Z")
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def moment_of_text(value: str) -> datetime | None:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None
