"""A process beside the gateway that answers questions about its history: `python -m tests.faults.console`.

One JSON object a line on standard input, one on standard output. It calls the functions beneath `manage.py status`,
`history list`, `history show` and `history raw`, in one process because a start of Django for each look would take the
processor away from what is being looked at.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import uuid
from typing import Any

from tests.clients.processes import ROOT


class Console:
    """The asking side. Methods block; they may be called from any thread."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.console"],
            cwd=ROOT,
            env=environment | {"TURNLOG_SUPERVISED": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, what: str, **arguments: Any) -> Any:
        with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps({"what": what, **arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the console has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"console, {what}: {answer['error']}")
        return answer["value"]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def status() -> Any:
    from django.conf import settings

    from gateway.recording.status import as_object, read_status

    return as_object(read_status(settings.TURNLOG.data_dir / "spool"))


def rows() -> list[dict[str, Any]]:
    """Every row of the history, oldest first, with the SHA-256 of both bodies as `history raw` prints them."""
    from gateway.history.queries import recent
    from gateway.history.store import rebuild_request, rebuild_response
    from gateway.models import RequestLog

    more = {str(row["id"]): row for row in RequestLog.objects.values("id", "client_request_id", "capture")}
    found = []
    for row in reversed(recent(1_000_000)):
        identifier = uuid.UUID(row["id"])
        request, response = rebuild_request(identifier), rebuild_response(identifier)
        found.append(
            row
            | {"client_request_id": more[row["id"]]["client_request_id"], "capture": more[row["id"]]["capture"]}
            | {"request_sha256": hashlib.sha256(request).hexdigest(), "response_kept": len(response)}
            | {"response_sha256": hashlib.sha256(response).hexdigest()}
        )
    return found


def raw(id: str, part: str) -> str:
    """The exact bytes, as latin-1."""
    from gateway.history.store import rebuild_request, rebuild_response

    rebuild = rebuild_request if part == "request" else rebuild_response
    return rebuild(uuid.UUID(id)).decode("latin-1")


def show(id: str) -> Any:
    from gateway.history.queries import detail

    return detail(uuid.UUID(id))


def main() -> None:
    import django
    from django.db import connection

    os.environ["DJANGO_SETTINGS_MODULE"] = "proxy_project.settings"
    django.setup()
    questions = {"status": status, "rows": rows, "raw": raw, "show": show}
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"value": questions[asked.pop("what")](**asked)}
        except Exception as error:
            answer = {"error": repr(error)}
        finally:
            # PostgreSQL may be gone and back by the next question.
            connection.close()
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
