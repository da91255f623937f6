"""Markdown and code as HTML. What comes out was made by a renderer that knows no HTML of the text's, and went through
nh3 on top; pictures become links, so that looking at a conversation loads nothing."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import find_lexer_class_for_filename, get_lexer_by_name
from pygments.util import ClassNotFound

HIGHLIGHTED: Final = 20_000
"""Characters of one text that are coloured; colouring is slow."""
FORMATTED: Final = 60_000
"""Characters of one text that are read as markdown."""
TAGS: Final = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s",
    "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
ATTRIBUTES: Final = {"a": {"href", "title"}, "span": {"class"}, "code": {"class"}, "ol": {"start"}}
SCHEMES: Final = {"http", "https", "mailto"}
WHOLE: Final = ("https://", "http://", "mailto:")
ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
"""What a terminal takes for commands: colours, titles, links."""


def markdown(text: str) -> SafeString:
    """CommonMark and tables; a text too long for that stays as it is written."""
    if len(text) > FORMATTED:
        return plain(text)
    cleaned = nh3.clean(
        parser().render(text),
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes=SCHEMES,
        attribute_filter=only_whole_addresses,
        link_rel="noopener noreferrer nofollow",
    )
    return mark_safe(cleaned)  # noqa: S308 cleaned on the line above


def only_whole_addresses(tag: str, attribute: str, value: str) -> str | None:
    """A relative link would lead to a page of ours that its writer chose."""
    return value if attribute != "href" or value.startswith(WHOLE) else None


def code(text: str, language: str = "") -> SafeString:
    """The inside of a `<pre>`: coloured by classes where the language is known and the text short."""
    lexer = lexer_of(language) if language and len(text) <= HIGHLIGHTED else None
    if lexer is None:
        return escape(text)
    # Pygments escapes what it colours.
    return mark_safe(str(highlight(text, lexer, formatter())).rstrip("\n"))  # noqa: S308


def plain(text: str) -> SafeString:
    return mark_safe(f'<pre class="b-plain">{escape(text)}</pre>')  # noqa: S308 escaped


def without_escapes(text: str) -> str:
    """What a terminal would show of it."""
    return ESCAPES.sub("", text) if "\x1b" in text else text


@cache
def language_of(path: str) -> str:
    """Of a file, by its name; empty where nothing is known."""
    try:
        found = find_lexer_class_for_filename(path.rsplit("/", 1)[-1][-80:])
    except ClassNotFound:
        return ""
    return str(found.aliases[0]) if found is not None and found.aliases else ""


@cache
def lexer_of(language: str) -> Lexer | None:
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


@cache
def formatter() -> Any:
    return HtmlFormatter(nowrap=True, classprefix="c-")


@cache
def parser() -> MarkdownIt:
    found = MarkdownIt("commonmark", {"html": False, "highlight": colour}).enable(["table", "strikethrough"])
    found.add_render_rule("image", picture)
    found.add_render_rule("heading_open", heading)
    found.add_render_rule("heading_close", heading)
    return found


def colour(text: str, language: str, attributes: str) -> str:
    return code(text, language if language.isalnum() else "")


def heading(self: Any, tokens: Any, at: int, options: Any, env: Any) -> str:
    """Below the page's own headings, h1 to h3."""
    token = tokens[at]
    level = min(6, int(token.tag[1:]) + 3)
    return f"<h{level}>" if token.nesting == 1 else f"</h{level}>\n"


def picture(self: Any, tokens: Any, at: int, options: Any, env: Any) -> str:
    """Its words and its address, as text."""
    token = tokens[at]
    return escape(f"[image: {token.content} {token.attrs.get('src', '')}]")
