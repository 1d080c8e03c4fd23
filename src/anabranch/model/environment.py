"""Environments: where a pipeline is deployed, and what it finds there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from anabranch.model.place import Place


@dataclass(frozen=True, slots=True)
class Airflow:
    """An Airflow that exists.

    Attributes:
        dags: the folder of its DAG files.
        url: of its REST API (v2); empty where runs are not driven from here.
        python: the interpreter on its workers that has anabranch; it runs the steps.
        token: a `secret://` reference to a bearer token of the API.
        user: for an API that gives tokens for a password.
        password: a `secret://` reference.
    """

    dags: str
    url: str = ""
    python: str = "python3"
    token: str = ""
    user: str = ""
    password: str = ""


Orchestrator: TypeAlias = Airflow
"""What starts steps in their order; a union, once there are more."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a project is deployed.

    Attributes:
        name: as people choose it with `-e`.
        orchestrator: what runs its pipelines.
        storage: the root of main's datasets, as the workers see it.
        artifacts: the folder, as the workers see it, that payloads are uploaded to.
        state: the URL below which `apply` remembers; empty for beside the project.
        variables: environment variables that every step gets; values may be `secret://` references.
        place: where it is written.
    """

    name: str
    orchestrator: Orchestrator
    storage: str
    artifacts: str
    state: str = ""
    variables: tuple[tuple[str, str], ...] = ()
    place: Place | None = None


def folders_of(environment: Environment) -> tuple[Path, ...]:
    """Return the folders of an environment that this machine sees: what lies there is no code of the project."""
    found = (environment.storage, environment.artifacts, environment.orchestrator.dags)
    return tuple(Path(each) for each in found if "://" not in each)
