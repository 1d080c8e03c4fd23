"""A page and its JSON twin: one look at the project, shown in two ways."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route

from anabranch.model.errors import NotFoundError, UsageError, closest
from anabranch.web.render import render
from anabranch.web.turns import recognise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from anabranch.app import Project
    from anabranch.model.run import RunId
    from anabranch.show.shapes import Shape
    from anabranch.store.runs import SqliteRunStore
    from anabranch.web.site import Site

API = "/api/v1"
"""Below which every page has its JSON twin. Keys may be added within a version; none changes its meaning."""

LIVE = "/live"
"""Below which pages that change have their live form."""

MOST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Query:
    """A query parameter. `schema` is JSON Schema of a string or an integer, with its default."""

    name: str
    about: str
    schema: Mapping[str, Any]

    def read(self, text: str | None) -> Any:
        """Return the value, or the default.

        Raises:
            UsageError: `bad-query`.
        """
        if text is None:
            return self.schema.get("default", "")
        if self.schema["type"] != "integer":
            if "enum" in self.schema and text not in self.schema["enum"]:
                raise self._wrong(text, closest(text, self.schema["enum"]))
            return text
        low, high = self.schema.get("minimum", 0), self.schema.get("maximum", MOST)
        digits = text.removeprefix("-") if low < 0 else text
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 20 and low <= int(text) <= high):  # noqa: PLR2004 - digits of 2**63
            raise self._wrong(text, f"a whole number from {low} to {high}")
        return int(text)

    def _wrong(self, text: str, hint: str) -> UsageError:
        return UsageError(f"{self.name}={text[:60]!r} is no value of `{self.name}`", code="bad-query", hint=hint)


def number(name: str, about: str, default: int, *, low: int = 1, high: int = MOST) -> Query:
    """Return a parameter that is a whole number."""
    return Query(name, about, {"type": "integer", "minimum": low, "maximum": high, "default": default})


def word(name: str, about: str, default: str = "", *, enum: tuple[str, ...] = ()) -> Query:
    """Return a parameter that is text, or one of some words."""
    return Query(name, about, {"type": "string", "default": default, **({"enum": list(enum)} if enum else {})})


ENVIRONMENT = word("environment", "Runs of this environment, as they were last told; empty for this machine's.")
NAMESPACE = word("namespace", "`main`, or the name of a branch.", "main")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for a page: what the path and the query say, and below which path the application is mounted."""

    site: Site
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    root: str = ""
    here: str = ""
    """The page's path below the root, quoted; `rest` is its query with the question mark."""
    rest: str = ""
    user: str = ""

    @property
    def project(self) -> Project:
        """The project."""
        return self.site.project

    @property
    def environment(self) -> str:
        """The environment that is looked at; empty for this machine.

        Raises:
            NotFoundError: `no-environment`.
        """
        name = str(self.query.get("environment", ""))
        known = self.project.file.environments
        if name and name not in known:
            raise NotFoundError(f"no environment `{name}`", code="no-environment", hint=closest(name, known))
        return name

    @property
    def namespace(self) -> str:
        """Main, or a branch."""
        return str(self.query.get("namespace", "main"))

    @property
    def store(self) -> SqliteRunStore:
        """Where the runs are told."""
        return self.site.store(self.environment)

    @property
    def run(self) -> RunId:
        """The run that the path names: by id, a unique prefix, or `last`."""
        return self.store.resolve(self.path["run"])


@dataclass(frozen=True, slots=True)
class View:
    """What is to be seen. `data` is JSON-ready and is all that the twin has; `draw` makes what only the page needs."""

    data: Shape
    draw: Callable[[], Mapping[str, Any]] = dict


@dataclass(frozen=True, slots=True)
class Page:
    """One kind of page.

    Attributes:
        path: with its parameters, as Starlette writes them.
        about: one sentence.
        template: its file.
        look: what is shown.
        query: the parameters that it understands.
        answers: the name of the schema of its twin.
        twin: path of the JSON twin below `/api/v1`, where it is not the page's own.
        slow: it may take longer than a page: it reads logs, code or data.
    """

    path: str
    about: str
    template: str
    look: Callable[[Asked], View]
    answers: str
    query: tuple[Query, ...] = ()
    twin: str = ""
    slow: bool = False

    @property
    def name(self) -> str:
        """The page's name, as templates and links call it."""
        return self.template.removesuffix(".html")

    @property
    def json_path(self) -> str:
        """The path of the twin."""
        return API + (self.twin or self.path)

    def routes(self, site: Site) -> list[Route]:
        """Return the routes of the page and of its twin."""

        async def html(request: Request) -> Response:
            site.freshen()
            asked = self.asked(site, request)
            response = HTMLResponse(await site.work(partial(self._html, asked), slow=self.slow))
            recognise(request, response)
            return response

        async def json(request: Request) -> Response:
            site.freshen()
            asked = self.asked(site, request)
            return JSONResponse(await site.work(lambda: {"anabranch": 1, **self.look(asked).data}, slow=self.slow))

        return [Route(self.path, html, name=self.name), Route(self.json_path, json, name=f"{self.name}.json")]

    def asked(self, site: Site, request: Request) -> Asked:
        """Return what a request asks for.

        Raises:
            UsageError: `bad-query`.
        """
        given = request.query_params
        query = {each.name: each.read(given.get(each.name)) for each in self.query}
        root = str(request.scope.get("root_path", ""))
        path = request.scope["path"].removeprefix(root).removeprefix(LIVE if request.scope["path"] != LIVE else "")
        return Asked(
            site,
            request.path_params,
            query,
            root,
            quote(path or "/"),
            f"?{request.url.query}" if request.url.query else "",
            request.scope.get("anabranch.user", ""),
        )

    def body(self, asked: Asked) -> str:
        """Return the part of the page that changes while somebody looks at it."""
        return self._render(self.template.replace(".html", "_body.html"), asked)

    def _html(self, asked: Asked) -> str:
        return self._render(self.template, asked)

    def _render(self, template: str, asked: Asked) -> str:
        view = self.look(asked)
        twin = asked.root + API + (self.twin or asked.here) + asked.rest
        live = asked.root + LIVE + asked.here + asked.rest
        return render(template, asked, {"data": view.data, **view.draw(), "twin": twin, "live": live})
