"""pg_dump, pg_restore and psql of the PostgreSQL that comes with Turnlog, against the database of the settings.

They read and write whatever server is in use, embedded or not, as long as it is not newer than they are. The password
travels in their environment, never in their arguments.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from psycopg import sql
from psycopg.conninfo import make_conninfo

from proxy_project.backups.archive import PIECE, pieces
from proxy_project.embedded.placement import INSTALLATION, wheel_directory

COMPRESSION = "gzip:1"
"""Most of it, the bodies, is compressed already."""

HEADER_LINES = 40


class ToolFailed(RuntimeError):
    """What pg_dump or pg_restore said."""


def program(name: str, binaries: Path | None) -> str:
    """Raises NoBinaries when the package has none and no other directory is given."""
    folder = binaries or wheel_directory() / INSTALLATION / "bin"
    return str(folder / name)


def address(parameters: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """libpq's address of the database and the environment its password travels in."""
    known = {name: value for name, value in parameters.items() if isinstance(value, str | int) and value != ""}
    password = known.pop("password", None)
    known.pop("client_encoding", None)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    if password is not None:
        environment["PGPASSWORD"] = str(password)
    return make_conninfo("", **known), environment


def dump(
    parameters: dict[str, Any], snapshot: str, target: IO[bytes], tell: Callable[[int], None], binaries: Path | None
) -> None:
    """Write the database as it was at `snapshot`. Raises ToolFailed."""
    conninfo, environment = address(parameters)
    command = [program("pg_dump", binaries), "--format=custom", f"--compress={COMPRESSION}", "--no-owner"]
    command += ["--no-privileges", f"--snapshot={snapshot}", "--no-password", f"--dbname={conninfo}"]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=said)  # noqa: S603
        try:
            assert process.stdout is not None
            with process.stdout as output:
                for piece in pieces(output):
                    target.write(piece)
                    tell(len(piece))
            fail_unless_done(process, said)
        finally:
            process.kill()
            process.wait()


def restore(
    parameters: dict[str, Any],
    source: IO[bytes],
    tell: Callable[[int], None],
    binaries: Path | None,
    first: Iterable[str] = (),
) -> None:
    """Execute the statements `first` and read a dump into the database, in one transaction: all of it or nothing.
    Raises ToolFailed."""
    conninfo, environment = address(parameters)
    reading = [program("pg_restore", binaries), "--no-owner", "--no-privileges", "--file=-"]
    writing = [program("psql", binaries), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction"]
    writing += ["--no-password", "--output=/dev/null", "--file=-", f"--dbname={conninfo}"]
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as told:
        reader = subprocess.Popen(  # noqa: S603
            reading, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said
        )
        writer = subprocess.Popen(writing, env=environment, stdin=subprocess.PIPE, stderr=told)  # noqa: S603
        feeder = threading.Thread(target=feed, args=(reader.stdin, pieces(source), tell), daemon=True)
        feeder.start()
        try:
            assert reader.stdout is not None
            assert writer.stdin is not None
            with reader.stdout as script, contextlib.suppress(BrokenPipeError):
                for part in (*(f"{statement};\n".encode() for statement in first), *header(script)):
                    writer.stdin.write(part)
                shutil.copyfileobj(script, writer.stdin, PIECE)
                # While the script may lack its end, nothing may be committed.
                fail_unless_done(reader, said)
                writer.stdin.close()
            fail_unless_done(writer, told)
        finally:
            for process in (writer, reader):
                process.kill()
                process.wait()
            feeder.join()
            with contextlib.suppress(BrokenPipeError):
                writer.stdin.close()  # type: ignore[union-attr]


def header(script: IO[bytes]) -> Iterator[bytes]:
    """The first lines, less a setting that servers before 17 do not know."""
    for _ in range(HEADER_LINES):
        line = script.readline()
        if line != b"SET transaction_timeout = 0;\n":
            yield line


def feed(pipe: IO[bytes], parts: Iterable[bytes], tell: Callable[[int], None]) -> None:
    """A program that ends early says why by itself."""
    with contextlib.suppress(BrokenPipeError), pipe:
        for part in parts:
            pipe.write(part)
            tell(len(part))


def fail_unless_done(process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
    if process.wait() != 0:
        said.seek(0)
        raise ToolFailed(said.read().decode(errors="replace").strip() or f"it ended with {process.returncode}")


OWN_FUNCTIONS = """
SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
"""
OWN_TABLES = """
SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
AND NOT c.relispartition AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
"""


def tables(connection: Any) -> list[str]:
    return [name for (name,) in connection.execute(OWN_TABLES).fetchall()]


def dropping(connection: Any) -> list[str]:
    """Statements that drop all tables and functions of the schema `public` that belong to no extension."""
    names = [sql.Identifier("public", name).as_string(None) for name in tables(connection)]
    # As the server itself writes them, quoted where they must be.
    signatures = [signature for (signature,) in connection.execute(OWN_FUNCTIONS).fetchall()]
    return [f"DROP TABLE {name} CASCADE" for name in names] + [f"DROP FUNCTION {name} CASCADE" for name in signatures]
