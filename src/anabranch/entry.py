"""A step on another machine: what a payload runs there, `python payload.pyz step STEP --definition FILE ...`.

Where data lies comes with each call and is never baked in, so one payload serves main and its branches. The run, its
params and its input come in the environment, where no value can become a command. The exit code is 0, 4 when the step
failed, or 5 when it broke a contract, which no further attempt would mend.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from anabranch.data import reports
from anabranch.data.objects import mirror
from anabranch.data.objects.store import objects
from anabranch.model import codec
from anabranch.model.dataset import DatasetSpec
from anabranch.model.errors import AnabranchError, ContractError, StepError
from anabranch.model.failures import killed, timed_out
from anabranch.model.pipeline import Json, Param, Pipeline, Step, StepId
from anabranch.model.report import outcome_in
from anabranch.model.run import Failure, RunId
from anabranch.model.task import Broken, Done, Outcome, Task
from anabranch.run.params import bind_params
from anabranch.run.plan import task_values
from anabranch.run.serve import logged
from anabranch.worker import cache_folder, do, hidden

RUN, ATTEMPT = "ANABRANCH_RUN", "ANABRANCH_ATTEMPT"
PARAMS, INPUT = "ANABRANCH_PARAMS", "ANABRANCH_INPUT"
"""Environment variables by which an orchestrator tells which attempt this is, and what the run was given."""


def main(arguments: list[str], root: Path) -> int:
    """Run one attempt of one step; return the exit code.

    Args:
        arguments: of the command line.
        root: the folder of the project's code.
    """
    parser = argparse.ArgumentParser(prog="payload", description="Run one step of an anabranch payload.")
    parser.add_argument("verb", choices=["step", "lost"], help="run an attempt, or tell how it ended without a word")
    parser.add_argument("step")
    parser.add_argument("--definition", required=True, help="the pipeline, as it was compiled")
    parser.add_argument("--storage", required=True, help="the root of the namespace's datasets")
    parser.add_argument("--namespace", default="main")
    parser.add_argument("--protected", default="", help="storage that Python code must not write to")
    parser.add_argument("--timeout", type=float, default=0.0, help="of a lost attempt: the seconds it was given")
    parser.add_argument("--signal", type=int, default=0, help="of a lost attempt: what ended it")
    given = parser.parse_args(arguments)
    run, attempt = os.environ.get(RUN, "manual"), int(os.environ.get(ATTEMPT) or 1)
    began = time.time()
    try:
        definition = json.loads(_content(given.definition))
    except AnabranchError as error:  # nothing can be reported: whose attempt this is stands there
        _say(error.message, error.hint)
        return StepError.exit_code
    storage, step = mirror.local(given.storage), StepId(given.step)

    def report(began: float, outcome: Outcome | None = None) -> None:
        *folders, name = given.definition.split("/")
        deployment = "/".join(folders[-3:])  # as `Owner.path` has it
        told: dict[str, Any] = {"anabranch": 1, "definition": name, "deployment": deployment, "began": began}
        if outcome is not None:
            told |= {"ended": time.time(), "outcome": codec.encode(outcome)}
        reports.write(storage, definition["pipeline"], run, step, attempt, told)

    outcome: Outcome
    if given.verb == "lost":
        why = timed_out(given.timeout) if given.timeout else killed(given.signal)
        report(began - given.timeout, Broken(given.timeout, why))
        return StepError.exit_code
    try:
        report(began)
        task = _task(definition, step, run, attempt, storage, root)
        protected = str(mirror.local(given.protected)) if given.protected else ""
        task = replace(task, namespace=given.namespace, protected=protected)
        outcome = logged(task, "/dev/stdout", do, hidden)
    except AnabranchError as error:  # the task could not even be made
        outcome = Broken(time.time() - began, Failure("error", error.message, error.hint, code=error.code))
    try:
        report(began, outcome)
    except AnabranchError as error:
        _say(error.message, error.hint)
        return StepError.exit_code
    if isinstance(outcome, Broken):
        failure = outcome.failure
        _say(f"{failure.place}: {failure.message}" if failure.place else failure.message, failure.hint)
        return ContractError.exit_code if failure.kind == "contract" else StepError.exit_code
    _tell(outcome)
    return 0


def _content(place: str) -> bytes:
    """Return a file's content, or an object's.

    Raises:
        StepError: `missing-definition`, `storage-unreachable`, `storage-denied`.
    """
    body: bytes | None = None
    if mirror.is_url(place):
        folder, _, name = place.rpartition("/")
        body = objects(folder).read(name)
    elif Path(place).is_file():
        body = Path(place).read_bytes()
    if body is None:
        raise StepError(f"there is no {place}", code="missing-definition", hint="apply again")
    return body


def _task(definition: dict[str, Any], step_id: StepId, run: str, attempt: int, storage: Path, root: Path) -> Task:
    """Return the attempt; of a large pipeline only what belongs to the step is read."""
    if definition["anabranch"] > codec.VERSION:
        message = "the definition was compiled by a newer anabranch than the payload's"
        raise StepError(message, code="newer-version", hint="apply again")
    step = codec.decode(Step, definition["steps"][step_id])
    names = sorted({port.dataset for port in step.reads} | {port.dataset for port in step.outputs})
    declared = tuple(codec.decode(Param, each) for each in definition["params"])
    pipeline: str = definition["pipeline"]
    values = _values(storage, pipeline, run, step)
    event: Json = json.loads(os.environ.get(INPUT) or "null")
    given: dict[str, object] = json.loads(os.environ.get(PARAMS) or "{}")
    return Task(
        RunId(run),
        pipeline,
        step,
        attempt,
        str(root),
        str(storage),
        str(cache_folder() / "scratch" / f"{pipeline}.{os.getpid()}"),
        "main",
        tuple(dataset_here(codec.decode(DatasetSpec, definition["datasets"][name])) for name in names),
        declared,
        bind_params(Pipeline(pipeline, params=declared), {p.name: given[p.name] for p in declared if p.name in given}),
        task_values(step, values, event),
    )


def dataset_here(spec: DatasetSpec) -> DatasetSpec:
    """Return a dataset that is read of main where this machine mirrors main's storage."""
    if spec.bound is None:
        return spec
    return replace(spec, bound=replace(spec.bound, root=str(mirror.local(spec.bound.root))))


def _values(storage: Path, pipeline: str, run: str, step: Step) -> dict[StepId, Json]:
    """Return the values of the steps that this one takes some from, as their last attempts reported them."""
    wanted = {source for port in step.takes for source in port.sources}
    found: dict[StepId, Json] = {}
    if wanted:
        for (source, _), report in sorted(reports.read(storage, pipeline, run).items()):
            outcome = outcome_in(report)
            if source in wanted and isinstance(outcome, Done):
                found[source] = outcome.value
    return found


def _tell(outcome: Done) -> None:
    for port in outcome.writes:
        rows = "" if port.rows is None else f"{port.rows:,} rows"
        print(f"wrote {port.dataset}: {rows}")  # noqa: T201 - the log of the step


def _say(message: str, hint: str) -> None:
    print(f"error: {message}")  # noqa: T201 - the log of the step
    if hint:
        print(f"  try: {hint}")  # noqa: T201 - the log of the step
