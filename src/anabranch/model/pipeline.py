"""Pipelines: steps with their ports, triggers, params and tests. The one value that every front end lowers to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, NewType, TypeAlias, assert_never

from anabranch.model.values import AnyType

if TYPE_CHECKING:
    from anabranch.model.call import Call
    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.place import Place
    from anabranch.model.values import ValueType

StepId = NewType("StepId", str)
"""A step's name, unique in its pipeline; steps of an inner pipeline are `inner/step`."""

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""What JSON can hold."""


class Rows(StrEnum):
    """Which rows of an input a step is handed."""

    AUTO = "auto"
    """New rows of an incremental dataset, all rows of any other."""
    ALL = "all"
    """All rows, whatever the dataset's ingestion."""


@dataclass(frozen=True, slots=True)
class DatasetInput:
    """A port that reads a dataset. `columns` are those that the step needs; empty means not said."""

    name: str
    dataset: str
    columns: tuple[str, ...] = ()
    rows: Rows = Rows.AUTO
    place: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class DatasetOutput:
    """A port that writes a dataset."""

    name: str
    dataset: str
    place: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ValueInput:
    """A port that takes a value, from the steps in `sources` (several: a list of their values, in order).

    No source means that the value comes from the trigger or from `run --input`.
    """

    name: str
    type: ValueType = field(default_factory=AnyType)
    sources: tuple[StepId, ...] = ()
    required: bool = True
    collect: bool = False
    """The port takes a list with one value of each source, even of one."""
    place: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ValueOutput:
    """The value that a step returns."""

    type: ValueType = field(default_factory=AnyType)
    place: Place | None = field(default=None, compare=False)


Input: TypeAlias = DatasetInput | ValueInput
"""A step's input port."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and when a failed step is tried again. Delays are in seconds.

    The n-th wait is `delay * backoff ** (n - 1)`, at most `max_delay`, then scaled by a random factor in
    `1 - jitter` to `1 + jitter`, so that many steps do not come back at once.
    """

    attempts: int = 1
    delay: float = 1.0
    backoff: float = 2.0
    max_delay: float = 300.0
    jitter: float = 0.1

    def __post_init__(self) -> None:
        """Hold delays as floats, however they were written: 2 and 2.0 are one pipeline."""
        for name in ("delay", "backoff", "max_delay", "jitter"):
            object.__setattr__(self, name, float(getattr(self, name)))

    def wait(self, failures: int, random: float) -> float:
        """Return the seconds to wait after that many failures; `random` lies in 0 to 1.

        >>> Retry(attempts=3, delay=2, jitter=0.5).wait(2, random=0.5)
        4.0
        """
        base = min(self.delay * self.backoff ** (failures - 1), self.max_delay)
        return base * (1 + self.jitter * (2 * random - 1))


@dataclass(frozen=True, slots=True)
class Needs:
    """What a step needs around it. `secrets` maps an environment variable to a `secret://provider/name` reference."""

    requirements: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()
    permissions: tuple[str, ...] = ()
    resources: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One unit of work."""

    id: StepId
    call: Call
    inputs: tuple[Input, ...] = ()
    outputs: tuple[DatasetOutput, ...] = ()
    value: ValueOutput | None = None
    after: tuple[StepId, ...] = ()
    params: tuple[str, ...] = ()
    """Names of the pipeline's params that the call takes as arguments; processes get all of them."""
    retry: Retry = field(default_factory=Retry)
    timeout: float | None = None
    """Seconds one attempt may take."""
    needs: Needs = field(default_factory=Needs)
    external: bool = False
    """It changes the world outside the registry: a mail, a database, an API."""
    description: str = ""
    place: Place | None = field(default=None, compare=False)

    @property
    def reads(self) -> tuple[DatasetInput, ...]:
        """The ports that read datasets."""
        return tuple(port for port in self.inputs if isinstance(port, DatasetInput))

    @property
    def takes(self) -> tuple[ValueInput, ...]:
        """The ports that take values."""
        return tuple(port for port in self.inputs if isinstance(port, ValueInput))


class ParamType(StrEnum):
    """Types of pipeline params, written as text on a command line."""

    STRING = "string"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    DATE = "date"
    DATETIME = "datetime"


@dataclass(frozen=True, slots=True)
class Param:
    """A value given when a run starts. `default` is text, as on a command line; None means that it must be given."""

    name: str
    type: ParamType = ParamType.STRING
    default: str | None = None
    choices: tuple[str, ...] = ()
    description: str = ""
    place: Place | None = field(default=None, compare=False)

    def parse(self, text: str) -> str | int | float | bool | date | datetime:
        """Return a value of the param's type from its canonical text, as a run holds it.

        >>> Param("day", ParamType.DATE).parse("2013-01-05")
        datetime.date(2013, 1, 5)
        """
        match self.type:
            case ParamType.STRING:
                return text
            case ParamType.INT:
                return int(text)
            case ParamType.FLOAT:
                return float(text)
            case ParamType.BOOL:
                return text == "true"
            case ParamType.DATE:
                return date.fromisoformat(text)
            case ParamType.DATETIME:
                return datetime.fromisoformat(text)
            case _:
                assert_never(self.type)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Starts at the times of a five-field cron expression, in a time zone of the IANA database."""

    cron: str
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class ObjectCreated:
    """Starts when an object is created; the event is the input of the first step. `scheme` is s3, gs, az or file."""

    bucket: str
    prefix: str = ""
    suffix: str = ""
    scheme: str = "s3"


Trigger: TypeAlias = Schedule | ObjectCreated
"""What starts a pipeline, besides a person."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows given in a test: inline, or a file relative to the project's root."""

    rows: tuple[tuple[tuple[str, Json], ...], ...] = ()
    file: str = ""


@dataclass(frozen=True, slots=True)
class TestCase:
    """Small inputs and the outputs expected of them. Only the columns that `expect` names are compared."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    name: str
    given: tuple[tuple[str, Table], ...] = ()
    expect: tuple[tuple[str, Table], ...] = ()
    params: tuple[tuple[str, str], ...] = ()
    input: Json = None
    values: tuple[tuple[str, Json], ...] = ()
    """Expected values, by step."""
    tolerance: float = 0.0
    place: Place | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Pipeline:
    """Steps and what binds them. Steps keep the order in which they were written; walks break ties by id."""

    name: str
    steps: tuple[Step, ...] = ()
    datasets: tuple[DatasetSpec, ...] = ()
    params: tuple[Param, ...] = ()
    trigger: Trigger | None = None
    tests: tuple[TestCase, ...] = ()
    description: str = ""
    place: Place | None = field(default=None, compare=False)

    @cached_property
    def step_by_id(self) -> dict[StepId, Step]:
        """Steps by id; of two with one id the last (`check` reports these)."""
        return {step.id: step for step in self.steps}

    @cached_property
    def dataset_by_name(self) -> dict[str, DatasetSpec]:
        """Datasets by name."""
        return {dataset.name: dataset for dataset in self.datasets}

    @cached_property
    def writer_of(self) -> dict[str, StepId]:
        """The step that writes each dataset; of several the first."""
        writers: dict[str, StepId] = {}
        for step in self.steps:
            for port in step.outputs:
                writers.setdefault(port.dataset, step.id)
        return writers

    @cached_property
    def upstream(self) -> dict[StepId, tuple[StepId, ...]]:
        """For each step the steps that must end before it, sorted: by data, by value and by `after`."""
        writer_of = self.writer_of
        known = self.step_by_id
        edges: dict[StepId, tuple[StepId, ...]] = {}
        for step in self.steps:
            found = {writer_of[port.dataset] for port in step.reads if port.dataset in writer_of}
            found.update(source for port in step.takes for source in port.sources)
            found.update(step.after)
            # A step may read what it writes (its own earlier state): that is no edge.
            edges[step.id] = tuple(sorted(source for source in found if source in known and source != step.id))
        return edges

    @cached_property
    def downstream(self) -> dict[StepId, tuple[StepId, ...]]:
        """For each step the steps that wait for it, sorted."""
        edges: dict[StepId, list[StepId]] = {step.id: [] for step in self.steps}
        for step_id, sources in self.upstream.items():
            for source in sources:
                edges[source].append(step_id)
        return {step_id: tuple(sorted(targets)) for step_id, targets in edges.items()}
