"""The pages of `anabranch ui`: one face of `app`, made on the server; and the same as JSON below `/api/v1`.

application       every route, below one guard
site · page       what pages share; a page with its twin, from one look at the project
pages             the table of pages
look/             what each page shows, as JSON-ready data
draw/             pictures as SVG: the graph, the timeline, the runs by duration
render            templates and how values read in them
guard · failure   who may see and change what; errors as pages
live · turns      what goes on, as it goes on; streams make room for each other
logs · tail       logs of any size, a page at a time and as they grow
act · child       buttons: each starts a command in a process of its own
description · schemas · metrics    the OpenAPI document; counts for Prometheus
reread            the project as its files are now
serve             the server that `anabranch ui` runs
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from anabranch.app import Project
    from anabranch.web.guard import Access

__all__ = ["create_app"]


def create_app(project: Project, access: Access | None = None) -> Starlette:
    """Return the pages of a project as an ASGI application, to serve or to mount in another one.

    Args:
        project: whose runs, datasets and branches are shown.
        access: who may come in; by default whoever asks a server on this machine by a local name.

    Raises:
        StepError: `not-installed`, the extra `ui` is missing.
    """
    from anabranch.web.serve import demand_installed

    demand_installed()
    from anabranch.web.application import application
    from anabranch.web.guard import Access

    return application(project, access or Access())
