"""`manage.py web` with a recorder that keeps nothing: what recording costs is the difference. Arguments as there."""

from __future__ import annotations

import functools
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxy_project.settings")


def main() -> int:
    # The command's modules import the runtime only later, when Django is set up; so the class is changed at its source.
    from gateway.recording import recorder
    from proxy_project.command_line import execute

    recorder.Recorder.__init__ = functools.partialmethod(recorder.Recorder.__init__, enabled=False)  # type: ignore[method-assign, assignment]
    return execute(["manage.py", "web", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
