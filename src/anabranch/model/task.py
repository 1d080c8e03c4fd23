"""What a worker is told to do, and what it answers: one attempt of one step, wherever it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.pipeline import Json, Param, Step
    from anabranch.model.run import Failure, PortStats, RunId, SubStep

SESSION = "ANABRANCH_SPARK_SESSION"
"""An environment variable, set where a platform has started Spark already: a child of the driver shares its session."""


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt of one step. Paths are absolute; `storage` is where the namespace's datasets lie.

    `values` has the JSON of each value port, by port. `params` has the run's as text; `declared` says their types.
    `datasets` has those of the step's ports. Python code must not write below `protected`, unless below `storage`.
    With `cluster`, Spark's workers are other machines: they see a storage in an object store, and no file of this one.
    `traceparent` names the attempt's span, as W3C writes it; it is empty when nobody traces the run.
    """

    run: RunId
    pipeline: str
    step: Step
    attempt: int
    root: str
    storage: str
    scratch: str
    namespace: str = "main"
    datasets: tuple[DatasetSpec, ...] = ()
    declared: tuple[Param, ...] = ()
    params: tuple[tuple[str, str], ...] = ()
    values: tuple[tuple[str, Json], ...] = ()
    protected: str = ""
    traceparent: str = ""
    cluster: bool = False

    def dataset(self, name: str) -> DatasetSpec:
        """Return the dataset of that name; it is one of the step's ports."""
        return next(item for item in self.datasets if item.name == name)


@dataclass(frozen=True, slots=True)
class Done:
    """The attempt succeeded and its outputs are published. `seconds` is by a clock that never jumps."""

    seconds: float
    reads: tuple[PortStats, ...] = ()
    writes: tuple[PortStats, ...] = ()
    value: Json = None
    parts: tuple[SubStep, ...] = ()


@dataclass(frozen=True, slots=True)
class Broken:
    """The attempt failed and published nothing."""

    seconds: float
    failure: Failure
    parts: tuple[SubStep, ...] = ()


Outcome: TypeAlias = Done | Broken
"""What became of an attempt."""
