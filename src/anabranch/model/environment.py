"""Environments: where a pipeline is deployed, and what it finds there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from anabranch.model.call import kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anabranch.model.pipeline import Needs, Step
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
        mwaa: the name of an environment of Amazon MWAA, whose address and token are asked of AWS.
        region: of that environment; empty for the one that AWS's own tools would take.
        connections: Airflow connections by the platform whose jobs use them; `container` for pods.
    """

    dags: str
    url: str = ""
    python: str = "python3"
    token: str = ""
    user: str = ""
    password: str = ""
    mwaa: str = ""
    region: str = ""
    connections: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Aws:
    """An AWS account: Step Functions start the steps, Lambda and Glue run them.

    Attributes:
        account: its number, so that what is deployed is known without asking, and never lands in another account.
        region: where.
        runtime: of the functions, such as `python3.12`.
        memory: of a function, in MB, where its step does not say.
        scratch: of a function, in MB: where it unpacks its packages, and stages what it writes.
        glue: what Glue's jobs are: a version such as `5.0`, or `shell` for Python shell jobs.
        interpreter: of Python shell jobs, `s3://.../*.tar.gz` with `python/bin/python3`: Glue's own is too old.
        poll: seconds between two looks at a job that was started; 0 leaves the waiting to Step Functions.
    """

    account: str
    region: str
    runtime: str = "python3.12"
    memory: int = 1769
    scratch: int = 4096
    glue: str = "5.0"
    interpreter: str = ""
    poll: int = 0


Orchestrator: TypeAlias = Airflow | Aws
"""What starts steps in their order; a closed union: end each `match` on it with `assert_never`."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a project is deployed.

    Attributes:
        name: as people choose it with `-e`.
        orchestrator: what runs its pipelines.
        storage: the root of main's datasets, as the workers see it.
        artifacts: the folder, as the workers see it, that payloads are uploaded to.
        state: the URL where `apply` remembers; empty for beside the project.
        variables: environment variables that every step gets; values may be `secret://` references.
        place: where it is written.
        tags: of what is made there, for people and their bills.
        engines: what runs each kind of call, where it is not what the orchestrator takes by default.
        chosen: what runs single steps, by `pipeline.step`.
    """

    name: str
    orchestrator: Orchestrator
    storage: str
    artifacts: str
    state: str = ""
    variables: tuple[tuple[str, str], ...] = ()
    place: Place | None = None
    tags: tuple[tuple[str, str], ...] = ()
    engines: tuple[tuple[str, str], ...] = ()
    chosen: tuple[tuple[str, str], ...] = ()

    def engine(self, pipeline: str, step: Step) -> str:
        """Return the engine that is asked for to run a step; empty where none is."""
        name = f"{pipeline}.{step.id}"
        return dict(self.chosen).get(name) or dict(self.engines).get(kind(step.call), "")


def folders_of(environment: Environment) -> tuple[Path, ...]:
    """Return the folders of an environment that this machine sees: what lies there is no code of the project."""
    orchestrator = environment.orchestrator
    found = [
        environment.storage,
        environment.artifacts,
        *([orchestrator.dags] if isinstance(orchestrator, Airflow) else []),
    ]
    return tuple(Path(each) for each in found if "://" not in each)


def kept_there(needs: Needs, secret: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield a step's secrets, each where the environment keeps it, and those of the environment besides."""
    known, plain = dict(secret), {name for name, _ in needs.env}
    for name, reference in needs.secrets:
        yield name, known.pop(name, reference)
    yield from ((name, reference) for name, reference in known.items() if name not in plain)
