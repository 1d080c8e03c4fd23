"""The OpenAPI document of the JSON twins and of the buttons, written from the tables that make them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import Route

from anabranch.web.act import ACTS, Act
from anabranch.web.guard import TOKEN_HEADER
from anabranch.web.page import API
from anabranch.web.schemas import SCHEMAS, TEXT, ref, thing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from anabranch.web.page import Page
    from anabranch.web.site import Site

ERRORS = {
    400: "something asked for is wrong",
    401: "nobody knows who asks",
    403: "a page of another site asked, or the token is missing",
    404: "nothing of that name",
    409: "a lock or a state stands in the way",
    422: "the project is invalid",
    500: "an error of anabranch, or of the machine",
    503: "the store cannot be read now",
}
OF_PAGES, OF_ACTS = (400, 401, 404, 409, 422, 500, 503), tuple(ERRORS)


def routes(pages: Sequence[Page], site: Site) -> list[Route]:
    """Return the route of the document."""

    async def openapi(request: Request) -> Response:
        root = str(request.scope.get("root_path", ""))
        told = describe(pages, await site.work(lambda: _examples(site)))
        return JSONResponse(told | ({"servers": [{"url": root}]} if root else {}))

    return [Route(f"{API}/openapi.json", openapi, name="openapi")]


def _examples(site: Site) -> dict[str, str]:
    """Return something of this project for each parameter of a path."""
    project = site.project
    pipelines, datasets = list(project.pipelines.values()), sorted(project.datasets)
    branches = project.branches.all() if project.runs.path.exists() else ()
    first_of: dict[str, list[str]] = {
        "run": ["last"],
        "attempt": ["1"],
        "pipeline": [each.name for each in pipelines],
        "step": [step.id for each in pipelines for step in each.steps],
        "dataset": datasets,
        "branch": [each.slug for each in branches],
    }
    return {name: known[0] for name, known in first_of.items() if known}


def describe(pages: Sequence[Page], examples: Mapping[str, str]) -> dict[str, Any]:
    """Return the document.

    Args:
        pages: every page.
        examples: something that is there, for each parameter of a path.
    """
    paths: dict[str, dict[str, Any]] = {}
    for page in pages:
        paths.setdefault(_plain(page.json_path), {})["get"] = {
            "operationId": page.name,
            "summary": page.about,
            "parameters": [
                *_in_path(page.json_path, examples),
                *(
                    {"name": q.name, "in": "query", "description": q.about, "schema": dict(q.schema)}
                    for q in page.query
                ),
            ],
            "responses": _answers(200, page.about, _versioned(page.answers), OF_PAGES),
        }
    for path, act in ACTS.items():
        paths.setdefault(_plain(API + path), {})["post"] = _act(path, act, examples)
    paths[f"{API}/token"] = {
        "get": {
            "operationId": "token",
            "summary": "The token that buttons want, which no other site can read.",
            "responses": _answers(200, "the token", ref("Token"), (401, 500)),
        }
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "anabranch",
            "version": "1",
            "description": "Every page of `anabranch ui` as JSON. Keys may be added within a version; none changes.",
        },
        "paths": paths,
        "components": {"schemas": SCHEMAS},
    }


def _act(path: str, act: Act, examples: Mapping[str, str]) -> dict[str, Any]:
    keys = {name: {**TEXT, "description": about} for name, about in act.keys.items()}
    body = {"type": "object", "properties": keys, "additionalProperties": TEXT}
    header = {"name": TOKEN_HEADER, "in": "header", "schema": TEXT, "description": "as `/api/v1/token` tells it"}
    return {
        "operationId": f"{path.rpartition('/')[2]}-{path.split('/')[1]}",
        "summary": act.about,
        "parameters": [*_in_path(path, examples), header],
        "requestBody": {"content": {"application/json": {"schema": body}}},
        "responses": _answers(202, "begun; `page` is where to look", ref("Done"), OF_ACTS),
    }


def _in_path(path: str, examples: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1},
            **({"example": examples[name]} if name in examples else {}),
        }
        for name in re.findall(r"{(\w+)", path)
    ]


def _answers(status: int, about: str, schema: dict[str, Any], errors: Sequence[int]) -> dict[str, Any]:
    told = {str(each): _json(ERRORS[each], ref("Error")) for each in errors}
    return {str(status): _json(about, schema), **told}


def _json(about: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": about, "content": {"application/json": {"schema": schema}}}


def _versioned(name: str) -> dict[str, Any]:
    return {"allOf": [thing(anabranch={"const": 1}), ref(name)]}


def _plain(path: str) -> str:
    """Return a path as OpenAPI writes it.

    >>> _plain("/datasets/{dataset:path}/sample")
    '/datasets/{dataset}/sample'
    """
    return re.sub(r"{(\w+):\w+}", r"{\1}", path)
