"""What a configuration file says for one environment, laid over what it says for all."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from gateway.configuration.document_reader import Reader


def lay_over(
    reader: Reader, found: dict[str, yaml.Node], node: yaml.Node, environment: str, keys: Mapping[str, str]
) -> None:
    """Put the entries of one environment in the place of those of the same name, and the others behind them. `keys`:
    what names an entry, by section; those of the other environments are only checked for their sections."""
    named = {str(key.value): value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}
    if environment and environment not in named:
        reader.complain(node, f"there is no environment {environment!r} among {', '.join(named) or 'none'}")
    for title, chosen in named.items():
        sections = reader.mapping(chosen, keys, f"environment {title}")
        if title != environment:
            continue
        for section, over in sections.items():
            found[section] = laid_over(found.get(section), over, keys[section])


def laid_over(under: yaml.Node | None, over: yaml.Node, key: str) -> yaml.Node:
    if isinstance(over, yaml.MappingNode) and isinstance(under, yaml.MappingNode):
        names = {str(name.value) for name, _ in over.value}
        pairs = [pair for pair in under.value if str(pair[0].value) not in names]
        return yaml.MappingNode(over.tag, pairs + over.value, over.start_mark, over.end_mark)
    if isinstance(over, yaml.SequenceNode) and isinstance(under, yaml.SequenceNode):
        said = {identity(item, key) for item in over.value}
        kept = [item for item in under.value if identity(item, key) not in said]
        return yaml.SequenceNode(over.tag, kept + over.value, over.start_mark, over.end_mark)
    return over


def identity(entry: yaml.Node, key: str) -> tuple[str | None, ...]:
    """What tells an entry from the others of its list: its name, a route's model, a member's user and team."""
    if key == "label":
        named = value_of(entry, "name") or value_of(entry, "match")
        return named, value_of(entry, "user"), value_of(entry, "team")
    return (value_of(entry, key),)


def value_of(node: yaml.Node, key: str) -> str | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((str(value.value) for name, value in pairs if name.value == key), None)
