"""One attempt of one step on real data, as a worker makes it, for tests of engines."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anabranch import worker
from anabranch.data.local import LocalData
from anabranch.model.columns import Column
from anabranch.model.dataset import DatasetSpec, Format
from anabranch.model.pipeline import (
    DatasetInput,
    DatasetOutput,
    Json,
    Needs,
    Param,
    ParamType,
    Step,
    StepId,
    ValueInput,
)
from anabranch.model.pipeline import ValueOutput as Gives
from anabranch.model.run import Failure, RunId
from anabranch.model.task import Broken, Done, Task
from anabranch.run.perform import perform

if TYPE_CHECKING:
    from anabranch.model.call import Call
    from anabranch.model.task import Outcome


@dataclass
class Attempt:
    """A folder with a project and its data, and the ports of the step that runs in it."""

    root: Path
    reads: dict[str, DatasetSpec] = field(default_factory=dict)
    writes: dict[str, DatasetSpec] = field(default_factory=dict)
    values: dict[str, Json] = field(default_factory=dict)
    params: dict[str, tuple[ParamType, str]] = field(default_factory=dict)
    needs: Needs = field(default_factory=Needs)
    gives: Gives | None = None

    @property
    def storage(self) -> Path:
        return self.root / "data"

    def task(self, call: Call) -> Task:
        """The task of a worker that is to make this attempt."""
        inputs = [DatasetInput(name, spec.name) for name, spec in self.reads.items()]
        step = Step(
            StepId("it"),
            call,
            (*inputs, *(ValueInput(name) for name in self.values)),
            tuple(DatasetOutput(name, spec.name) for name, spec in self.writes.items()),
            self.gives,
            needs=self.needs,
        )
        return Task(
            RunId("testtest"),
            "daily",
            step,
            1,
            str(self.root),
            str(self.storage),
            str(self.root / ".anabranch" / "scratch" / "it.1"),
            datasets=tuple({spec.name: spec for spec in (*self.reads.values(), *self.writes.values())}.values()),
            declared=tuple(Param(name, kind) for name, (kind, _) in self.params.items()),
            params=tuple((name, text) for name, (_, text) in self.params.items()),
            values=tuple(self.values.items()),
        )

    def outcome(self, call: Call) -> Outcome:
        """What a worker answers."""
        task = self.task(call)
        return perform(task, lambda task: LocalData(Path(task.storage)), worker._engine, worker._secrets)

    def run(self, call: Call) -> Done:
        """What a worker answers when all is well."""
        outcome = self.outcome(call)
        assert isinstance(outcome, Done), outcome
        return outcome

    def fail(self, call: Call) -> Failure:
        """What a worker tells of a failure; nothing is published then."""
        outcome = self.outcome(call)
        assert isinstance(outcome, Broken), outcome
        for spec in self.writes.values():
            assert not (self.storage / spec.location).exists()
        return outcome.failure

    def seed(self, spec: DatasetSpec, text: str) -> None:
        """Put a text where an input lies."""
        path = self.storage / spec.location
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def rows(self, spec: DatasetSpec) -> list[dict[str, Any]]:
        """The rows of an output in JSON lines."""
        lines = (self.storage / spec.location).read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]


def table(name: str, kind: str = "csv", **columns: str) -> DatasetSpec:
    """A dataset with promised columns."""
    promised = tuple(Column(column, of) for column, of in columns.items())
    return DatasetSpec(name, format=Format(kind), columns=promised)


def with_needs(attempt: Attempt, **needs: Any) -> Attempt:
    """The attempt with needs of its own."""
    return replace(attempt, needs=Needs(**needs))
