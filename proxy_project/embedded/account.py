"""The account PostgreSQL runs as. It refuses to be root, so root lends it an unprivileged one that exists."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxy_project.embedded.faults import NoAccount

LENT_ACCOUNTS = ("turnlog", "postgres", "nobody", "daemon")


@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int
    groups: frozenset[int]

    @property
    def is_ours(self) -> bool:
        return self.uid == os.geteuid()

    def popen_options(self) -> dict[str, Any]:
        """What makes `subprocess` start a child as this account; nothing when we are it."""
        return {} if self.is_ours else {"user": self.uid, "group": self.gid, "extra_groups": sorted(self.groups)}

    def may_use(self, path: Path, bits: int) -> bool:
        """Whether the permission bits (as of `os.access`) grant it, and the way there can be walked."""
        return all(self.granted(folder, os.X_OK) for folder in path.parents) and self.granted(path, bits)

    def granted(self, path: Path, bits: int) -> bool:
        try:
            status = path.stat()
        except OSError:
            return False
        if status.st_uid == self.uid:
            shift = 6
        elif status.st_gid in self.groups:
            shift = 3
        else:
            shift = 0
        return (stat.S_IMODE(status.st_mode) >> shift) & bits == bits

    def may_reach(self, directory: Path) -> bool:
        """Whether it can walk to a directory; of one that is not there yet, to the nearest that is."""
        existing = next(folder for folder in (directory, *directory.parents) if folder.exists())
        return self.may_use(existing, os.X_OK)

    def own(self, path: Path, mode: int) -> None:
        if not self.is_ours:
            os.chown(path, self.uid, self.gid)
        path.chmod(mode)


def server_account() -> Account:
    if os.geteuid() != 0:
        return own_account()
    for name in LENT_ACCOUNTS:
        for entry in entries(name):
            if entry.pw_uid != 0:
                return account_of(entry)
    raise NoAccount(
        "PostgreSQL does not run as root and none of the accounts "
        f"{', '.join(LENT_ACCOUNTS)} exists: make one (useradd --system turnlog), or start as another user"
    )


def own_account() -> Account:
    try:
        return account_of(pwd.getpwuid(os.geteuid()))
    except KeyError:
        raise NoAccount(
            f"user id {os.geteuid()} has no name on this system, and PostgreSQL needs one: "
            "add it to /etc/passwd, or set DATABASE_URL to a PostgreSQL of your own"
        ) from None


def owner_name() -> str:
    """The name of the user we are; the one besides root who may connect."""
    return own_account().name


def entries(name: str) -> Iterator[pwd.struct_passwd]:
    try:
        yield pwd.getpwnam(name)
    except KeyError:
        return


def account_of(entry: pwd.struct_passwd) -> Account:
    groups = frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid))
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, groups)
