"""Run every example, also those that need curl and Node: `make examples`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from proxy_project.embedded.postgres import EmbeddedPostgres
from tests.e2e.processes import ROOT, ProviderThread, running_web
from tests.examples.running import examples, run_example


def main() -> int:
    missing = [program for program in ("curl", "node") if shutil.which(program) is None]
    if missing:
        sys.stderr.write(
            f"These examples need {' and '.join(missing)}: apt install curl nodejs, or brew install node\n"
        )
        return 1
    with tempfile.TemporaryDirectory(prefix="turnlog-examples-") as directory:
        Path(directory).chmod(0o755)
        return run_all(Path(directory))


def run_all(directory: Path) -> int:
    server = EmbeddedPostgres(directory / "data")
    (directory / "data").mkdir()
    address = server.start()
    url = f"postgresql://turnlog@/turnlog?host={address.directory}&port={address.port}"
    failed = 0
    try:
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, cwd=ROOT, env=os.environ | {"DATABASE_URL": url}, check=True)
        with ProviderThread() as provider, running_web(directory, url, TURNLOG_ANTHROPIC_URL=provider.url) as web:
            for name in examples(".sh", ".py", ".mjs"):
                problem = run_example(name, web, provider)
                failed += bool(problem)
                sys.stdout.write(f"{'FAIL' if problem else 'PASS'} {name}\n{problem or ''}")
    finally:
        server.stop()
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
