"""The one exception that ends a start in plain words."""

from __future__ import annotations


class StartRefused(RuntimeError):
    """The start cannot succeed; the message says why and the mend."""
