"""Buttons: what changes something. Each is a POST of one of our own pages, and starts a command."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Route

from anabranch.model.errors import UsageError, closest
from anabranch.web import child
from anabranch.web.failure import is_api
from anabranch.web.guard import demand_same_origin
from anabranch.web.look.branch import find
from anabranch.web.page import API, Asked
from anabranch.web.render import link

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from anabranch.web.site import Site

MOST = 1 << 16
"""Bytes that may be sent with a button."""

WHAT = ("failed", "from", "all")
CODE = ("current", "same")


@dataclass(frozen=True, slots=True)
class Act:
    """One kind of button: what it does, with which words, and what it understands.

    `do` returns the parts of the path of the page where to look next.
    """

    about: str
    do: Callable[[Asked, Mapping[str, str]], tuple[str, ...]]
    keys: Mapping[str, str] = field(default_factory=dict)


def routes(site: Site) -> list[Route]:
    """Return the routes of all buttons, each also as JSON below `/api/v1`."""
    found = [
        Route(prefix + path, partial(_answer, site, act), methods=["POST"], name=f"{prefix}{path}")
        for path, act in ACTS.items()
        for prefix in ("", API)
    ]

    async def token(_: Request) -> Response:
        return JSONResponse({"anabranch": 1, "token": site.access.secret, "header": "X-Anabranch-Token"})

    return [*found, Route(f"{API}/token", token, name="token")]


async def _answer(site: Site, act: Act, request: Request) -> Response:
    given = await _read(request)
    demand_same_origin(request, given.pop("token", ""), site.access)
    asked = Asked(site, request.path_params, {}, str(request.scope.get("root_path", "")))
    where = await site.work(lambda: act.do(asked, given), slow=True)
    if is_api(request.scope):
        return JSONResponse({"anabranch": 1, "page": link(asked.root, *where)}, HTTPStatus.ACCEPTED)
    return RedirectResponse(link(asked.root, *where), HTTPStatus.SEE_OTHER)


async def _read(request: Request) -> dict[str, str]:
    """Return what was sent: a form, or a JSON object of texts.

    Raises:
        UsageError: `bad-form`.
    """
    text = b""
    try:
        async for piece in request.stream():
            text += piece
            if len(text) > MOST:
                raise UsageError(f"more than {MOST} bytes were sent", code="bad-form", hint="send less")
    except ClientDisconnect as error:  # nobody reads the answer
        raise UsageError("whoever asked went away", code="bad-form", hint="send it whole") from error
    try:
        if request.headers.get("content-type", "").startswith("application/json"):
            data: Any = json.loads(text or b"{}")
        else:
            data = dict(parse_qsl(text.decode(), keep_blank_values=True))
    except ValueError as error:
        message = f"what was sent cannot be read: {error}"
        raise UsageError(message, code="bad-form", hint="send a form, or a JSON object") from error
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        message, hint = "what was sent is no object of texts", 'such as {"code": "same"}'
        raise UsageError(message, code="bad-form", hint=hint)
    return data


def one_of(given: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    """Return a choice; the first of those known where nothing is said.

    Raises:
        UsageError: `bad-form`.
    """
    value = given.get(name, known[0])
    if value not in known:
        raise UsageError(f"{name}={value[:60]!r} is no value of `{name}`", code="bad-form", hint=closest(value, known))
    return value


def retry_words(run: str, given: Mapping[str, str]) -> tuple[str, ...]:
    """Return the command that retries a run.

    Raises:
        UsageError: `bad-form`.
    """
    what, code = one_of(given, "what", WHAT), one_of(given, "code", CODE)
    words = ("runs", "retry", run, "--code", code)
    if what == "all":
        return (*words, "--all")
    if what == "from":
        step = given.get("from", "")
        if not step:
            raise UsageError("a retry from a step needs the step", code="bad-form", hint="from=STEP")
        return (*words, f"--from={step}")
    return words


def retry(asked: Asked, given: Mapping[str, str]) -> tuple[str, ...]:
    """Run again what a run did not finish, or more."""
    words = retry_words(asked.run, given)
    return "runs", child.start(asked.project.root, asked.project.folder / "ui", *words)


def cancel(asked: Asked, given: Mapping[str, str]) -> tuple[str, ...]:
    """Ask a run to stop; close one that is dead."""
    del given
    run = asked.run
    asked.store.cancel(run)
    return "runs", run


def run(asked: Asked, given: Mapping[str, str]) -> tuple[str, ...]:
    """Run a pipeline, with params where they are given as `param.NAME`."""
    pipeline = asked.project.pipeline(asked.path["pipeline"])
    params = [
        word
        for param in pipeline.params
        if (value := given.get(f"param.{param.name}", "")) and value != param.default
        for word in ("-p", f"{param.name}={value}")
    ]
    return "runs", child.start(asked.project.root, asked.project.folder / "ui", "run", pipeline.name, *params)


def run_branch(asked: Asked, given: Mapping[str, str]) -> tuple[str, ...]:
    """Run a branch, with `rebase` on what main has now."""
    found = find(asked)
    rebase = ("--rebase",) if given.get("rebase") else ()
    words = ("branch", "run", *rebase, "--", found.name)
    return "runs", child.start(asked.project.root, asked.project.folder / "ui", *words)


def compare(asked: Asked, given: Mapping[str, str]) -> tuple[str, ...]:
    """Compare what a branch wrote with main; the page of the branch tells when that is done."""
    del given
    found = find(asked)
    name = f"deltas-{found.slug}"
    if not child.alive(name):
        child.launch(asked.project.root, asked.project.folder / "ui", "branch", "deltas", "--", found.name, name=name)
    return "branches", found.slug


def promote(asked: Asked, given: Mapping[str, str]) -> tuple[str, ...]:
    """Let main take what a branch made, or with `undo` give it back what it had."""
    found = find(asked)
    undo = ("--undo",) if given.get("undo") else ()
    child.ask(asked.project.root, "branch", "promote", "--yes", *undo, "--", found.name)
    return "branches", found.slug


def drop(asked: Asked, given: Mapping[str, str]) -> tuple[str, ...]:
    """Delete a branch and all that it owns."""
    del given
    child.ask(asked.project.root, "branch", "drop", "--yes", "--", find(asked).name)
    return ("branches",)


ACTS = {
    "/runs/{run}/retry": Act(
        "Run again what a run did not finish, or more; the rest is reused.",
        retry,
        {
            "what": "`failed`, `from` or `all`",
            "from": "the step from which on everything runs again",
            "code": "`current` or `same`",
        },
    ),
    "/runs/{run}/cancel": Act("Ask a run to stop; close one that is dead.", cancel),
    "/pipelines/{pipeline}/run": Act("Run a pipeline.", run, {"param.NAME": "the value of a param"}),
    "/branches/{branch}/run": Act("Run a branch.", run_branch, {"rebase": "`yes` to read what main has now"}),
    "/branches/{branch}/deltas": Act("Compare what a branch wrote with main.", compare),
    "/branches/{branch}/promote": Act(
        "Let main take what a branch made.", promote, {"undo": "`yes` to give main back what it had"}
    ),
    "/branches/{branch}/drop": Act("Delete a branch and all that it owns.", drop),
}
"""Every button by its path."""
