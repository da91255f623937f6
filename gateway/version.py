"""The version of this gateway, as `pyproject.toml` says it."""

VERSION = "0.1.0"
