"""The server that `anabranch ui` runs: one process, on this machine unless it asks who comes."""

from __future__ import annotations

import errno
import socket
from importlib.util import find_spec
from typing import TYPE_CHECKING

from anabranch.model.errors import ConflictError, StepError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from anabranch.app import Project
    from anabranch.web.guard import Access


def demand_installed() -> None:
    """Make sure that the extra is there.

    Raises:
        StepError: `not-installed`.
    """
    missing = [name for name in ("jinja2", "starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        message = f"the pages need the package {missing[0]}"
        raise StepError(message, code="not-installed", hint="pip install 'anabranch[ui]'")


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Args:
        host: a name or an address.
        port: 0 for any that is free.

    Raises:
        ConflictError: `port-taken`.
        UsageError: `bad-host`.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"no host `{host}`: {error}", code="bad-host", hint="--host 127.0.0.1") from error
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(128)
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            message = f"port {port} of {host} is taken, perhaps by another `anabranch ui`"
            raise ConflictError(message, code="port-taken", hint=f"--port {port + 1}, or --port 0 for any") from error
        raise UsageError(f"{host}:{port}: {error.strerror}", code="bad-host", hint="--host 127.0.0.1") from error
    return made


def serve(project: Project, access: Access, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until the process is told to stop.

    Args:
        project: what is shown.
        access: who may come in.
        listening: the socket.
        ready: called once requests are answered.
    """
    import uvicorn

    from anabranch.web.application import application

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

    config = uvicorn.Config(
        application(project, access),
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=1,
        ws="none",
    )
    Server(config).run([listening])
