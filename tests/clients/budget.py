"""Runs the real Claude Code against a gateway whose budget it spends: it must stop at once and print our sentence.

`python -m tests.clients.budget`; the client is installed as for `python -m tests.clients`. All stays on loopback.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.clients.__main__ import free_port, install
from tests.clients.cases import claude, client_environment
from tests.clients.processes import Gateway, gateway, provider, wait_for

KEY = "key-of-the-budget-0123456789"
SENTENCE = "The daily budget trial of key ada is spent: "
ADDED = "Ask in ai-platform for more"
CONFIGURATION = """
providers: [{{name: fake, dialect: anthropic, address: "{url}", keyless: true}}]
routes: [{{match: "*", provider: fake}}]
api_keys: [{{name: ada, key_env: KEY}}]
budgets: [{{name: trial, scope: key, period: daily, tokens: 10, message: {added}}}]
"""


def say_hi(directory: Path, bin_dir: Path, url: str) -> dict[str, Any]:
    work = directory / "work"
    work.mkdir(parents=True)
    done = subprocess.run(
        claude(bin_dir, "Say hi"), cwd=work, env=client_environment(directory, url, KEY), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def refuses(url: str, key: str) -> bool:
    try:
        urlopen(Request(f"{url}/v1/models", headers={"x-api-key": key}), timeout=10).close()
    except HTTPError as answer:
        return answer.code == 401
    return False


def statuses(web: Gateway) -> list[int]:
    return [row["status_code"] for row in web.history()]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="turnlog-budget-") as place:
        directory = Path(place)
        bin_dir = install(Path(".cache/clients").resolve())
        with provider(directory) as fake, gateway(directory, fake.url, free_port(), KEY=KEY) as web:
            document = directory / "configuration.yaml"
            document.write_text(CONFIGURATION.format(url=fake.url, added=ADDED))
            web.manage("config", "apply", str(document))
            wait_for(lambda: refuses(web.url, "nobody's"), "the configuration in force")
            first = say_hi(directory / "first", bin_dir, web.url)
            assert not first["is_error"], first
            before = len(fake.lines())
            second = say_hi(directory / "second", bin_dir, web.url)
            wait_for(web.is_settled, "the history")
            assert second["is_error"], second
            assert SENTENCE in second["result"], second["result"]
            assert second["result"].endswith(ADDED), second["result"]
            assert len(fake.lines()) == before, "the provider was asked"
            assert statuses(web).count(429) == 1, "it tried again"
            print(f"Claude Code stopped at once and said: {second['result']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
