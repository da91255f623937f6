"""Why the embedded PostgreSQL cannot run. Every message says what is the matter and how to mend it.

EmbeddedFault
├── NoAccount      this system has no account PostgreSQL could run as
├── NoBinaries     the wheel with PostgreSQL's programs is missing
├── NotOurs        something lies where ours should, and using it could harm
├── ClusterError   the cluster cannot be made, or is of another version
└── StartFailed    the server did not come up; the message holds the last lines of its log
"""

from __future__ import annotations


class EmbeddedFault(RuntimeError):
    pass


class NoAccount(EmbeddedFault):
    pass


class NoBinaries(EmbeddedFault):
    pass


class NotOurs(EmbeddedFault):
    pass


class ClusterError(EmbeddedFault):
    pass


class StartFailed(EmbeddedFault):
    pass
