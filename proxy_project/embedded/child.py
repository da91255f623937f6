"""One process the supervisor keeps alive."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence

from proxy_project.embedded.backoff import BackOff


class Child:
    """Lives in a session of its own, so that Ctrl-C in the terminal reaches the supervisor alone."""

    def __init__(
        self, name: str, command: Sequence[str], environ: Mapping[str, str], descriptors: Sequence[int] = ()
    ) -> None:
        self.name = name
        self.command = list(command)
        self.environ = dict(environ)
        self.descriptors = tuple(descriptors)
        self.process: subprocess.Popen[bytes] | None = None
        self.back_off = BackOff()

    def start(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603
            self.command,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            pass_fds=self.descriptors,
            start_new_session=True,
        )
        self.back_off.started(time.monotonic())

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def take_end(self) -> str | None:
        """How it ended, once; None while it lives or when that was taken already."""
        if self.process is None or self.process.poll() is None:
            return None
        code, self.process = self.process.returncode, None
        return f"signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"exit status {code}"

    def terminate(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def kill(self) -> None:
        """Its whole session, children of its own included."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
