"""Environments: what `anabranch.yaml` says of where the project is deployed, layer upon layer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from anabranch.frontends.shape import AirflowShape, AwsShape, EnvironmentShape
from anabranch.model.call import KINDS
from anabranch.model.environment import Airflow, Aws, Environment
from anabranch.model.errors import Diagnostic, closest
from anabranch.model.secret import has_password, is_reference, is_told
from anabranch.model.server import is_server, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from anabranch.frontends.yamlfile import Document
    from anabranch.model.environment import Orchestrator
    from anabranch.model.place import Place

BASE = "base"
"""The environment whose settings hold for all others that do not say them."""

URLS = ("s3://", "gs://", "az://")
"""Object stores."""

REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
"""A region of AWS."""


def lower_environments(
    shapes: Mapping[str, EnvironmentShape], document: Document, root: Path, storage: str
) -> tuple[dict[str, Environment], list[Diagnostic]]:
    """Return the environments by name, and what is wrong in them.

    Args:
        shapes: as they are written.
        document: where.
        root: of the project; relative paths start there.
        storage: of the project, for those that have none of their own.
    """
    given = {name: shape.model_dump(exclude_unset=True) for name, shape in shapes.items()}
    base = given.pop(BASE, {})
    found: dict[str, Environment] = {}
    problems: list[Diagnostic] = []
    for name, own in given.items():
        shape = EnvironmentShape.model_validate(_layered(base, own))
        place = document.place("environments", name)
        wrong = [*_problems(name, shape, place), *_engines(name, shape, document)]
        problems += wrong
        if not wrong:
            found[name] = _lowered(name, shape, root, storage, place)
    return found, problems


def _layered(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return two layers as one.

    >>> _layered({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}})
    {'a': {'x': 1, 'y': 3}}
    """
    both = {
        key: _layered(below[key], above[key])
        for key in below
        if key in above and isinstance(below[key], dict) and isinstance(above[key], dict)
    }
    return {**below, **above, **both}


def _problems(name: str, shape: EnvironmentShape, place: Place) -> list[Diagnostic]:
    found: list[Diagnostic] = []

    def add(code: str, message: str, hint: str) -> None:
        found.append(Diagnostic(code, f"environment `{name}` {message}", hint, place))

    for each in (*_orchestrator(shape), *_variables(shape)):
        add(*each)
    return found


def _engines(name: str, shape: EnvironmentShape, document: Document) -> Iterator[Diagnostic]:
    """Yield kinds of calls that there are none of. Whether an engine is there is known where it is used."""
    for kind in shape.engines:
        if kind not in KINDS.values():
            message = f"environment `{name}` has an engine for {kind}, which is no kind of call"
            where = [layer for layer in (name, BASE) if ("environments", layer, "engines", kind) in document.lines]
            place = document.place("environments", (where or [name])[0], "engines", kind)
            yield Diagnostic("unknown-kind", message, closest(kind, sorted(KINDS.values())), place)


def _orchestrator(shape: EnvironmentShape) -> Iterator[tuple[str, str, str]]:
    match shape.airflow, shape.aws:
        case None, None:
            hint = "say it: airflow: {dags: ...}, or aws: {account: ..., region: ...}"
            yield ("no-orchestrator", "has nothing that runs its pipelines", hint)
        case AirflowShape() as airflow, None:
            yield from _airflow(shape, airflow)
        case None, AwsShape() as aws:
            yield from _aws(shape, aws)
        case _:
            yield ("two-orchestrators", "has both an airflow and an aws", "make two environments of it")


def _airflow(shape: EnvironmentShape, airflow: AirflowShape) -> Iterator[tuple[str, str, str]]:
    if not airflow.dags:
        yield ("no-dags", "has no folder for DAG files", "airflow: {dags: /opt/airflow/dags}")
    for key, text in (("token", airflow.token), ("password", airflow.password)):
        if text and not is_reference(text):  # what stands there may be the secret itself
            yield ("bad-secret", f"has an airflow {key} that is not a reference", "write secret://env/NAME")
    yield from _address(airflow.url)
    if bool(airflow.user) != bool(airflow.password):
        yield ("half-login", "has an airflow user without a password, or the other way round", "give both, or a token")
    if airflow.mwaa:
        if not re.fullmatch(r"[a-zA-Z][0-9a-zA-Z_-]{0,79}", airflow.mwaa):
            yield ("bad-mwaa", f"has `{airflow.mwaa}` as its MWAA environment", "name one, as AWS lists it")
        if given := [key for key in ("url", "token", "user") if getattr(airflow, key)]:
            hint = "AWS gives the address and a token: leave them out, or leave mwaa out"
            yield ("two-doors", f"has both an airflow.mwaa and an airflow.{given[0]}", hint)
    elif airflow.region:
        yield ("no-mwaa", "has an airflow.region, and no MWAA environment", "airflow: {mwaa: NAME, region: eu-west-1}")
    if airflow.region and not REGION.fullmatch(airflow.region):
        yield ("bad-region", f"has `{airflow.region}` as its AWS region", "name one, such as eu-west-1")
    yield from _places(shape, (airflow.dags, "airflow.dags"))


def _address(url: str) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong with the address of a web server; it is not shown where a secret may stand in it."""
    if not url:
        return
    try:
        parts = urlsplit(url)
        named, _ = bool(parts.hostname), parts.port
    except ValueError:
        named, parts = False, urlsplit("")
    if "@" in url:
        hint = "leave it out, and give user: NAME and password: secret://env/NAME"
        yield ("bad-secret", "has a user or a password in its airflow.url", hint)
    elif not named or parts.scheme not in {"http", "https"} or parts.query or parts.fragment:
        yield ("bad-url", f"has `{url}` as its airflow.url", "the address of its web server: https://host:port")


def _variables(shape: EnvironmentShape) -> Iterator[tuple[str, str, str]]:
    """Yield variables that are secrets by their name, or by a password in an address, and no references."""
    for name, value in shape.variables.items():
        if is_told(name, str(value)):
            hint = f"write secret://env/{name}, and keep the value out"
            yield ("bad-secret", f"has a variable {name} that is not a reference", hint)


def _aws(shape: EnvironmentShape, aws: AwsShape) -> Iterator[tuple[str, str, str]]:
    if not re.fullmatch(r"\d{12}", aws.account):
        yield (
            "bad-account",
            "has no AWS account of twelve digits",
            'aws: {account: "123456789012", region: eu-west-1}',
        )
    if not REGION.fullmatch(aws.region):
        yield ("bad-region", f"has `{aws.region}` as its AWS region", "name one, such as eu-west-1")
    if not re.fullmatch(r"python3\.1[1-9]", aws.runtime):
        yield ("bad-runtime", f"has the runtime {aws.runtime}", "name one of Lambda's, of Python 3.11 or newer")
    for word, given, least, most in (
        ("memory", aws.memory, *LAMBDA_MEMORY),
        ("scratch", aws.scratch, *LAMBDA_SCRATCH),
    ):
        if not least <= given <= most:
            yield (f"bad-{word}", f"has {given} MB of {word}", f"a function has {least} to {most}")
    yield from _glue(aws)
    if not shape.storage.startswith("s3://"):
        yield ("bad-place", "has no storage in S3, which functions read and write", "storage: s3://bucket/prefix")
    if shape.artifacts and not shape.artifacts.startswith("s3://"):
        yield ("bad-place", f"has artifacts at {shape.artifacts}", "artifacts: s3://bucket/prefix")
    yield from _places(shape)


def _glue(aws: AwsShape) -> Iterator[tuple[str, str, str]]:
    if aws.glue != "shell" and not re.fullmatch(r"\d\.\d", aws.glue):
        yield ("bad-glue", f"has the Glue `{aws.glue}`", 'name a version, such as "5.0", or shell')
    if aws.poll < 0:
        yield ("bad-poll", f"would look at jobs every {aws.poll} s", "poll: 30, or true")
    if aws.interpreter and not re.fullmatch(r"s3://[^/]+/.+\.tar\.gz", aws.interpreter):
        yield ("bad-place", f"has an interpreter at {aws.interpreter}", "interpreter: s3://bucket/python.tar.gz")


POLL = 30
"""Seconds between two looks at a job, where nobody says how many."""
LAMBDA_MEMORY = (128, 10_240)
"""MB that a function may have. Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
LAMBDA_SCRATCH = (512, 10_240)
"""MB of /tmp that a function may have. Source: as above."""


TAG = re.compile(r"[\w.:/=+@-][\w .:/=+@-]{0,79}", re.ASCII)
"""A tag's name or value that AWS and Airflow take.
Source: https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html"""


def _places(shape: EnvironmentShape, *more: tuple[str, str]) -> Iterator[tuple[str, str, str]]:
    if is_server(shape.state):
        code, message, hint = refusal(shape.state)
        if code:
            yield (code, message, hint)
    elif shape.state and not shape.state.startswith(URLS):
        said = "a URL that is none" if "@" in shape.state else shape.state  # a password may stand there
        yield ("bad-state", f"keeps its state at {said}", f"a URL of {', '.join((*URLS, 'postgresql://'))}, or nothing")
    for key, value in shape.tags.items():
        if not TAG.fullmatch(key) or not TAG.fullmatch(f"{value}") or key.lower().startswith(("aws:", "anabranch:")):
            hint = "up to 80 letters, digits and _.:/=+-@ in each; aws: and anabranch: are others'"
            yield ("bad-tag", f"has a tag `{key}` that not every platform takes", hint)
    for text, key in ((shape.artifacts, "artifacts"), *more, (shape.storage, "storage")):
        if has_password(text):
            yield (
                "bad-secret",
                f"has a password in the address of its {key}",
                "the platform's own credentials are used",
            )
        elif "://" in text and not text.startswith(URLS):
            yield ("bad-place", f"has {key} at {text}", f"name a folder, or a URL of {', '.join(URLS)}")


def _lowered(name: str, shape: EnvironmentShape, root: Path, storage: str, place: Place) -> Environment:
    def path(text: str) -> str:
        return text.rstrip("/") if "://" in text else str((root / text).resolve())

    orchestrator: Orchestrator
    if shape.aws is not None:
        aws = shape.aws
        poll = POLL if aws.poll is True else int(aws.poll)
        orchestrator = Aws(
            aws.account, aws.region, aws.runtime, aws.memory, aws.scratch, aws.glue, aws.interpreter, poll
        )
    else:
        airflow = shape.airflow
        assert airflow is not None  # noqa: S101 - `_problems` has looked
        orchestrator = Airflow(
            path(airflow.dags),
            airflow.url.rstrip("/"),
            airflow.python or "python3",
            airflow.token,
            airflow.user,
            airflow.password,
            airflow.mwaa,
            airflow.region,
            tuple(sorted(airflow.connections.items())),
        )
    where = path(shape.storage) if shape.storage else storage
    return Environment(
        name,
        orchestrator,
        where,
        path(shape.artifacts) if shape.artifacts else f"{where}/_anabranch/artifacts",
        shape.state.rstrip("/"),
        tuple((key, str(value)) for key, value in sorted(shape.variables.items())),
        place,
        tuple((key, str(value)) for key, value in sorted(shape.tags.items())),
        tuple(sorted(shape.engines.items())),
        tuple((step, choice.engine) for step, choice in sorted(shape.steps.items())),
    )
