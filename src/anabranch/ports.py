"""Every Protocol of anabranch. Read this file, then `model/`, and you know the program.

files  --Frontend-->  Pipeline  --check-->  diagnostics
Pipeline --runner--> Tasks --Workers--> Outcomes --RunStore--> events --Reporter--> screen
                                                             events --Exporter--> catalogues, traces
Pipeline --compile--> Resources --plan--> changes --apply--> Platform, StateStore
in a worker:  Task --Data.begin--> Staging --Engine.run--> outputs --Staging.commit--> published datasets
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from anabranch.model.branch import Branch
    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.errors import Diagnostic
    from anabranch.model.pipeline import DatasetInput, DatasetOutput, Json, Pipeline, Step, StepId
    from anabranch.model.report import Reports
    from anabranch.model.resource import Address, Applied, Live, Resource
    from anabranch.model.run import Event, PortStats, Recorded, Run, RunId, SubStep
    from anabranch.model.task import Task

C_contra = TypeVar("C_contra", contravariant=True)
M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Source:
    """An input as one attempt sees it: `location` is a path or URI that holds exactly the rows handed over."""

    port: DatasetInput
    dataset: DatasetSpec
    location: str


@dataclass(frozen=True, slots=True)
class Target:
    """An output as one attempt sees it: `location` is a staging path where nothing lies yet. It is not main's."""

    port: DatasetOutput
    dataset: DatasetSpec
    location: str


@dataclass(frozen=True, slots=True)
class Result:
    """What an engine reports besides the outputs that it wrote."""

    value: Json = None
    parts: tuple[SubStep, ...] = ()


class Staging(Protocol):
    """The data of one attempt: inputs to read, outputs that nobody sees before `commit`."""

    @property
    def sources(self) -> Mapping[str, Source]:
        """Inputs by port. Incremental ones are cut to the new rows on first use: process calls see a file of these."""
        ...

    @property
    def targets(self) -> Mapping[str, Target]:
        """Outputs by port."""
        ...

    def load(self, port: str, annotation: object) -> object:
        """Return the rows of an input as the type that a step's function asks for.

        Args:
            port: the input's name.
            annotation: polars.DataFrame, polars.LazyFrame, pandas.DataFrame, pyarrow.Table, pyarrow.RecordBatchReader,
                duckdb.DuckDBPyRelation, pyspark.sql.DataFrame, pathlib.Path or str (the location); or its dotted name.

        Raises:
            StepError: `missing-input`, `unreadable-input`, `unknown-frame`.
        """
        ...

    def save(self, port: str, frame: object) -> None:
        """Write a returned frame to an output's staging location, in the dataset's format.

        Raises:
            StepError: `unknown-frame`, `unstorable-type`, `disk-full`.
        """
        ...

    def connection(self) -> object:
        """Return a duckdb connection, private to the attempt, with one view per input port."""
        ...

    def commit(self) -> tuple[tuple[PortStats, ...], tuple[PortStats, ...]]:
        """Check every output against its contract, then publish all of them and the watermarks, or nothing.

        Returns:
            What was read and what was written.

        Raises:
            ContractError: an output breaks its contract; the message names columns and rows.
            StepError: `output-not-written`, `disk-full`, `unreadable-output`.
        """
        ...

    def close(self) -> None:
        """Delete whatever the attempt staged and did not publish."""
        ...


class Data(Protocol):
    """Datasets of one storage root."""

    def begin(self, task: Task) -> Staging:
        """Open the data of an attempt.

        Raises:
            StepError: `missing-input`, with the location that was looked at.
        """
        ...

    def recover(self, pipeline: str) -> None:
        """Finish a pipeline's publications that a crash cut off after their commit point; drop what was only staged.

        Nobody else may run the pipeline in this storage meanwhile.
        """
        ...


class Engine(Protocol[C_contra]):
    """Runs one kind of call on this machine."""

    def run(self, call: C_contra, task: Task, staging: Staging) -> Result:
        """Run the call; write every output of `staging.targets`, by `save` or as a process at its location.

        The process's stdout and stderr are the step's log: print there. Child processes inherit both.

        Raises:
            StepError: what failed, with the user's own place first.
        """
        ...


class Frontend(Protocol):
    """One way to write pipelines down."""

    def read(self, root: Path, source: str) -> Sequence[Pipeline]:
        """Return the pipelines of one entry of `anabranch.yaml`.

        Raises:
            InvalidProject: with every diagnostic found.
        """
        ...


class RunStore(Protocol):
    """Where events live. What `append` has returned survives a crash."""

    def begin(self, run: RunId, pipeline: Pipeline, first: Event) -> Recorded:
        """Record a new run with its definition and its first event."""
        ...

    def append(self, run: RunId, events: Sequence[Event]) -> tuple[Recorded, ...]:
        """Record events of a run, all or none, durably."""
        ...

    def events(self, run: RunId, after: int = 0) -> Iterator[Recorded]:
        """Return the events of a run past `after`, in order."""
        ...

    def run(self, run: RunId) -> Run:
        """Return the run as its events tell it; `dead` when it says running and nobody drives it.

        Raises:
            NotFoundError: no such run.
        """
        ...

    def runs(self, pipeline: str | None = None, limit: int = 25, namespace: str | None = None) -> tuple[Run, ...]:
        """Return the newest runs first; of one namespace, or of all."""
        ...

    def newest(self, pipeline: str | None, namespace: str | None, limit: int) -> Iterator[Run]:
        """Yield the newest runs first, each read when it is asked for."""
        ...

    def forget(self, namespace: str) -> None:
        """Delete the runs of a branch, with their logs. Main's are kept."""
        ...

    def resolve(self, text: str) -> RunId:
        """Return the run that a unique prefix, or `last`, means.

        Raises:
            NotFoundError: none does.
            UsageError: several do.
        """
        ...

    def definition(self, run: RunId) -> Pipeline:
        """Return the pipeline as the run started with it."""
        ...

    def beat(self, run: RunId) -> bool:
        """Note that the run is alive; return whether somebody asked to cancel it."""
        ...

    def cancel(self, run: RunId) -> None:
        """Ask the process that drives the run to cancel it."""
        ...


class BranchStore(Protocol):
    """Where the records of branches live."""

    def add(self, branch: Branch) -> None:
        """Record a new branch.

        Raises:
            ConflictError: `branch-exists`.
        """
        ...

    def save(self, branch: Branch) -> None:
        """Record how a branch has changed.

        Raises:
            NotFoundError: `no-branch`, it was dropped meanwhile.
        """
        ...

    def find(self, name: str) -> Branch:
        """Return the branch of that name.

        Raises:
            NotFoundError: `no-branch`.
        """
        ...

    def all(self) -> tuple[Branch, ...]:
        """Return every branch, by name."""
        ...

    def delete(self, name: str) -> None:
        """Forget a branch."""
        ...


class Files(Protocol):
    """A folder of small files that is written from here and read elsewhere: local, or in an object store."""

    def list(self, below: str) -> Sequence[str]:
        """Return the names of the files in a folder and below it, sorted; none where there is no such folder."""
        ...

    def read(self, name: str) -> bytes | None:
        """Return a file's content; None when it is not there."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write a file, so that a reader finds it whole or not at all."""
        ...

    def delete(self, name: str) -> None:
        """Delete a file; it may be gone already."""
        ...


class Registers(Protocol):
    """Small objects that are written only over what was read: an object store with conditional writes."""

    def get(self, key: str) -> tuple[bytes, str] | None:
        """Return an object's content and its etag; None when there is none."""
        ...

    def put(self, key: str, content: bytes, *, fresh: bool = False, etag: str = "") -> bool:
        """Write an object if there is none (`fresh`), or over the one of that etag; return whether it was written."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects, whatever they hold; they may be gone already."""
        ...


class Platform(Protocol):
    """What resources are made on. Each call that changes something is one remote call."""

    def live(self, resources: Iterable[Resource], known: Iterable[Applied] = ()) -> Mapping[Address, Live]:
        """Return what is there now: at the names of all these, and all else that carries the deployment's mark.

        Args:
            resources: what should be there.
            known: what was made: where somebody took its mark away, nothing else leads to it.
        """
        ...

    def create(self, resource: Resource) -> None:
        """Make a resource, marked as the deployment's."""
        ...

    def update(self, resource: Resource, live: Live) -> None:
        """Make of what is there what should be."""
        ...

    def delete(self, live: Live) -> None:
        """Delete what is there; it may be gone already."""
        ...


@dataclass(frozen=True, slots=True)
class Built:
    """What was built of a project, to be deployed.

    Attributes:
        payload: its code, with our runtime; empty where every step runs another deployment's.
        packages: what its steps need besides, as zip files, by the requirements of a step.
    """

    payload: bytes = field(default=b"", repr=False)
    packages: Mapping[tuple[str, ...], bytes] = field(default_factory=dict, repr=False)


class Runs(Protocol):
    """The runs of one deployed pipeline, as the orchestrator tells them."""

    def start(self, run: RunId, params: Mapping[str, str], event: Json) -> None:
        """Start a run of the newest state of the pipeline.

        Raises:
            StepError: the orchestrator does not answer, denies it, or has not seen what was deployed.
        """
        ...

    def events(self, run: str) -> Sequence[Recorded]:
        """Return what has happened in a run until now.

        Raises:
            NotFoundError: no such run.
        """
        ...

    def definition(self) -> str:
        """Return the artifact that holds the pipeline as runs begin with it now; empty where that cannot be told."""
        ...

    def held(self) -> str:
        """Return why runs that have begun do not go on, such as that somebody paused them; empty when they do."""
        ...

    def names(self) -> Iterator[str]:
        """Yield the ids of the runs, the newest first; the orchestrator is asked for more as they are taken."""
        ...

    def newest(self, limit: int) -> Sequence[Sequence[Recorded]]:
        """Return the events of the newest runs, the newest first."""
        ...

    def log(self, run: str, step: StepId, attempt: int) -> str:
        """Return what an attempt printed."""
        ...

    def cancel(self, run: str) -> None:
        """Stop a run: what waits is never started.

        Raises:
            ConflictError: `run-ended`.
        """
        ...

    def lingers(self, run: str) -> bool:
        """Return whether workers of a run that was stopped may still write; that ends by itself, in limited time.

        Raises:
            NotFoundError: no such run.
        """
        ...

    def retry(self, run: str, steps: Sequence[StepId]) -> None:
        """Run steps of a run again, with what is downstream of them, in the newest code."""
        ...


class Orchestration(Protocol):
    """An orchestrator, as one namespace of a project uses it: what it can do, what should be on it, and its runs."""

    @property
    def platform(self) -> Platform:
        """Where its resources are made."""
        ...

    @property
    def boot(self) -> Mapping[str, bytes]:
        """Files that payloads have besides, by name: how the orchestrator's workers enter them."""
        ...

    @property
    def interpreter(self) -> str:
        """The version of Python that packages are built for; empty where the workers have their own."""
        ...

    def refusals(self, pipeline: Pipeline) -> Sequence[Diagnostic]:
        """Return what of a pipeline it cannot do."""
        ...

    def preflight(self, pipelines: Sequence[Pipeline]) -> Sequence[Diagnostic]:
        """Return what is not there of what pipelines need and nobody deploys; the orchestrator is asked.

        Where it cannot be asked, that is a warning.
        """
        ...

    def resources(
        self,
        pipelines: Mapping[str, tuple[Pipeline, bytes]],
        built: Built,
        root: str,
        reused: Mapping[StepId, str],
    ) -> Sequence[Resource]:
        """Return what should be there; nothing is asked.

        Args:
            pipelines: each with its definition, by name.
            built: the project's code, and what it needs.
            root: of the namespace's datasets, as the workers see it; another than main's in a branch.
            reused: main's job that runs a step, for steps that have none of their own.
        """
        ...

    def artifact(self, name: str) -> bytes | None:
        """Return a file that was delivered."""
        ...

    def dependants(self) -> Sequence[str]:
        """Return the namespaces whose deployments run what was delivered for this one."""
        ...

    def policy(self, root: str, steps: Sequence[Step]) -> str:
        """Return what narrows each call of a branch to its root, as the platform's own text; empty where nothing can.

        Args:
            root: of the branch's datasets, as the workers see it.
            steps: of the branch.
        """
        ...

    def jobs(self, pipeline: Pipeline) -> Mapping[StepId, str]:
        """Return what runs the steps of a deployed pipeline, as `resources` takes it; none where none is."""
        ...

    def runs(self, pipeline: Pipeline, root: str, reports: Callable[[str], Reports]) -> Runs:
        """Return the runs of a deployed pipeline.

        Args:
            pipeline: as it is deployed.
            root: of the namespace's datasets, as the workers see it.
            reports: returns what the attempts of a run reported.

        Raises:
            NotFoundError: `not-deployed`.
            UsageError: `no-url`, the environment does not say where to ask.
        """
        ...


LEASE = 120.0
"""Seconds after which the lock of a state is anybody's, if its holder has neither written nor renewed it."""


class StateStore(Protocol):
    """What `apply` remembers of one namespace of an environment. Whoever writes holds the lock."""

    @property
    def serial(self) -> int:
        """How often the state was written."""
        ...

    def applied(self) -> Mapping[Address, Applied]:
        """Return what was made, as it was left; without a digest where nobody knows how the only call went."""
        ...

    def places(self) -> Mapping[str, str]:
        """Return where it was made, by what each place is for; empty where nothing is known."""
        ...

    def lock(self) -> AbstractContextManager[None]:
        """Hold the state's lock. A state that is empty when it is let go is deleted.

        Raises:
            ConflictError: `state-locked`, with who holds it and since when.
        """
        ...

    def renew(self) -> None:
        """Begin the lease anew, as each write does; raises as `intend`."""
        ...

    def intend(self, address: Address) -> None:
        """Note that a call for a resource is about to be made.

        Raises:
            ConflictError: `lock-lost`, somebody else took the lock meanwhile.
        """
        ...

    def record(self, applied: Applied) -> None:
        """Note that a resource is as it should be; raises as `intend`."""
        ...

    def forget(self, address: Address) -> None:
        """Note that a resource is gone; raises as `intend`."""
        ...

    def settle(self, places: Mapping[str, str]) -> None:
        """Note where it is made; raises as `intend`."""
        ...


class Reporter(Protocol):
    """Shows a run while it happens. It is told only what has been recorded."""

    def report(self, recorded: Recorded) -> None:
        """Show one event."""
        ...


class Exporter(Protocol[M]):
    """Tells another system of one run, from its recorded events alone; `M` is a message as that system has them."""

    @property
    def noun(self) -> str:
        """What a message is called."""
        ...

    @property
    def where(self) -> str:
        """Where messages go, for people."""
        ...

    @property
    def batch(self) -> int:
        """How many messages are delivered at once, all or none."""
        ...

    def tell(self, recorded: Recorded) -> Sequence[M]:
        """Return what the next event of the run means there; the same events always give the same messages."""
        ...

    def abandon(self) -> Sequence[M]:
        """Return what follows for a run that nobody drives any more."""
        ...

    def lines(self, messages: Sequence[M]) -> Sequence[str]:
        """Return messages as text for people and programs, each on one line."""
        ...

    def send(self, messages: Sequence[M]) -> None:
        """Deliver one batch.

        Raises:
            StepError: `export-unreachable`, it may be tried again; `export-refused`, that is of no use.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
