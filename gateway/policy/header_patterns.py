"""Patterns of header rules: RE2's, over bytes, whose time grows with the length of the value and with nothing else."""

from __future__ import annotations

from collections.abc import Callable


class Pattern:
    """A compiled RE2 pattern over bytes."""

    __slots__ = ("search", "sub")
    search: Callable[[bytes], object]
    sub: Callable[[bytes, bytes], bytes]

    def __init__(self, source: bytes) -> None:
        # Takes memory that a process without patterns need not spend.
        import re2

        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.log_errors = False
        compiled = re2.compile(source, options)
        self.search = compiled.search
        self.sub = compiled.sub


def compile_pattern(source: bytes) -> Pattern:
    """Raises ValueError, with RE2's own words, for what it does not take: looking around and back-references, which
    would make the time it takes unbounded, and repetitions above 1000."""
    import re2

    try:
        return Pattern(source)
    except re2.error as error:
        words = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        raise ValueError(words) from None
