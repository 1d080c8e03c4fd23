"""Environments: what `anabranch.yaml` says of where the project is deployed, layer upon layer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from anabranch.frontends.shape import AirflowShape, EnvironmentShape
from anabranch.model.environment import Airflow, Environment
from anabranch.model.errors import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from anabranch.frontends.yamlfile import Document
    from anabranch.model.place import Place

BASE = "base"
"""The environment whose settings hold for all others that do not say them."""

URLS = ("s3://", "gs://", "az://")
"""Object stores."""

SECRET = re.compile(r"^secret://[a-z][a-z0-9-]*/.+$")
"""A reference to a secret."""


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
        wrong = list(_problems(name, shape, place))
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

    airflow = shape.airflow
    if airflow is None:
        add("no-orchestrator", "has nothing that runs its pipelines", "say it: airflow: {dags: ...}")
        return found
    if not airflow.dags:
        add("no-dags", "has no folder for DAG files", "airflow: {dags: /opt/airflow/dags}")
    for key, text in (("token", airflow.token), ("password", airflow.password)):
        if text and not SECRET.match(text):  # what stands there may be the secret itself
            add("bad-secret", f"has an airflow {key} that is not a reference", "write secret://env/NAME")
    if bool(airflow.user) != bool(airflow.password):
        add("half-login", "has an airflow user without a password, or the other way round", "give both, or a token")
    for code, message, hint in _places(shape, airflow):
        add(code, message, hint)
    return found


def _places(shape: EnvironmentShape, airflow: AirflowShape) -> Iterator[tuple[str, str, str]]:
    if shape.state and not shape.state.startswith(URLS):
        yield ("bad-state", f"keeps its state at {shape.state}", f"a URL of {', '.join(URLS)}, or nothing")
    for text, key in ((shape.artifacts, "artifacts"), (airflow.dags, "airflow.dags"), (shape.storage, "storage")):
        if "://" in text and not text.startswith(URLS):
            yield ("bad-place", f"has {key} at {text}", f"name a folder, or a URL of {', '.join(URLS)}")


def _lowered(name: str, shape: EnvironmentShape, root: Path, storage: str, place: Place) -> Environment:
    def path(text: str) -> str:
        return text.rstrip("/") if "://" in text else str((root / text).resolve())

    airflow = shape.airflow
    assert airflow is not None  # noqa: S101 - `_problems` has looked
    where = path(shape.storage) if shape.storage else storage
    return Environment(
        name,
        Airflow(
            path(airflow.dags),
            airflow.url.rstrip("/"),
            airflow.python or "python3",
            airflow.token,
            airflow.user,
            airflow.password,
        ),
        where,
        path(shape.artifacts) if shape.artifacts else f"{where}/_anabranch/artifacts",
        shape.state.rstrip("/"),
        tuple((key, str(value)) for key, value in sorted(shape.variables.items())),
        place,
    )
