"""A real Postgres in a temporary folder, on the loopback, run by somebody who is not root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tools.aws import free_port

if TYPE_CHECKING:
    from collections.abc import Generator


def binary(name: str) -> str | None:
    """Return the path of one of Postgres's commands."""
    found = [*sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)]
    return str(found[0]) if found else shutil.which(name)


@contextmanager
def serving() -> Generator[str]:
    """Run a server; give its connection string."""
    who = pwd.getpwnam("postgres" if _has("postgres") else "nobody") if os.geteuid() == 0 else None
    # pytest's own folders are root's alone, and Postgres refuses to run as root.
    with tempfile.TemporaryDirectory(prefix="anabranch-postgres-", ignore_cleanup_errors=True) as name:
        if who is not None:
            os.chown(name, who.pw_uid, who.pw_gid)
        with _server(Path(name), who) as told:
            yield told


@contextmanager
def _server(data: Path, who: pwd.struct_passwd | None) -> Generator[str]:
    port = free_port()

    def run(*command: str) -> None:
        subprocess.run(
            command,
            check=True,
            cwd=data,
            user=who.pw_uid if who else None,
            group=who.pw_gid if who else None,
            env={**os.environ, "HOME": str(data), "TZ": "UTC"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    cluster = str(data / "cluster")
    run(str(binary("initdb")), "-D", cluster, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-h 127.0.0.1 -p {port} -k '' -c fsync=off"
    run(str(binary("pg_ctl")), "-D", cluster, "-w", "-l", str(data / "log"), "-o", options, "start")
    try:
        yield f"host=127.0.0.1 port={port} user=postgres dbname=postgres"
    finally:
        run(str(binary("pg_ctl")), "-D", cluster, "-m", "immediate", "stop")


def _has(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
