"""`anabranch ui`: pages that show what runs, what failed and why, and what a retry will do."""

from __future__ import annotations

import secrets
import webbrowser
from typing import TYPE_CHECKING

import click

from anabranch.cli.face import Face, verb

if TYPE_CHECKING:
    from anabranch.web.guard import Access

PORT = 8765


@click.command("ui", short_help="Serve pages that show pipelines, runs, datasets and branches.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 for any that is free.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; others may come with a token.")
@click.option("--open", "opened", is_flag=True, help="Open it in the browser.")
@click.option("--token", metavar="TOKEN", help="What whoever comes must know; `-` makes one.")
@click.option("--auth-header", metavar="NAME", help="A proxy in front says in this header who comes.")
@verb("ui")
def ui_command(face: Face, port: int, host: str, opened: bool, token: str | None, auth_header: str | None) -> None:
    """Serve pages that show this project, until Ctrl-C: what ran, what failed, why, and what a retry will do.

    One process, on this machine only, without a login. On another --host it wants a --token, or an --auth-header that a
    proxy sets. The address is the first line of stdout. Every page has a JSON twin below /api/v1.
    """
    from anabranch.web.serve import demand_installed, listen, serve

    demand_installed()
    from anabranch.web.guard import LOCAL, Access, address_of, demand_token

    project = face.project()
    wanted = secrets.token_urlsafe(18) if token == "-" else token or ""  # noqa: S105 - a sign for "make one"
    hosts = LOCAL if address_of(host) in LOCAL else ()
    access = Access(wanted, auth_header or "", hosts)
    demand_token(host, access)
    listening = listen(host, port)
    address = f"http://{address_of(host)}:{listening.getsockname()[1]}/{_query(access)}"

    def ready() -> None:
        face.result({"url": address}, lambda: [f"{project.name}: {address}"])
        if opened:
            webbrowser.open(address)

    serve(project, access, listening, ready)


def _query(access: Access) -> str:
    return f"?token={access.token}" if access.token else ""
