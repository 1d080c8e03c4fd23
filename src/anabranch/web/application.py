"""The ASGI application: every route, below one guard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from anabranch.model.errors import AnabranchError
from anabranch.web import act, description, metrics, tail
from anabranch.web.assets import routes as assets
from anabranch.web.failure import told
from anabranch.web.guard import Access, Guard
from anabranch.web.pages import PAGES, live_routes
from anabranch.web.site import Site
from anabranch.web.turns import Turns

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from anabranch.app import Project


def application(project: Project, access: Access) -> Starlette:
    """Return the application; `create_app` is how others ask for it."""
    site = Site(project, access)
    turns = Turns()
    routes: list[BaseRoute] = [*act.routes(site), *tail.routes(site, turns), *live_routes(site, turns)]
    routes += [route for page in PAGES for route in page.routes(site)]
    routes += [*description.routes(PAGES, site), *metrics.routes(site), *assets()]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Guard, access=access), Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)],
        exception_handlers={AnabranchError: told, HTTPException: told, Exception: told},
    )
    app.state.site = site
    return app
