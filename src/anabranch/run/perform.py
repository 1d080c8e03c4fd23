"""One attempt of one step, from task to outcome: what every worker does, wherever it runs."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import AnabranchError, ContractError, StepError
from anabranch.model.run import Failure
from anabranch.model.task import Broken, Done, Outcome
from anabranch.model.traces import relative, user_place, user_trace
from anabranch.run.guard import protecting

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from anabranch.model.call import Call
    from anabranch.model.pipeline import Needs
    from anabranch.model.task import Task
    from anabranch.ports import Data, Engine, Result


class NoData:
    """The `Staging` of a step without dataset ports, which spares it the load of the data libraries."""

    sources: Mapping[str, Any] = {}
    targets: Mapping[str, Any] = {}

    def load(self, port: str, annotation: object) -> object:
        """There is nothing to read."""
        raise KeyError(port, annotation)

    def save(self, port: str, frame: object) -> None:
        """There is nothing to write."""
        raise KeyError(port, frame)

    def connection(self) -> object:
        """There is nothing to query."""
        raise KeyError

    def commit(self) -> tuple[tuple[()], tuple[()]]:
        """Nothing was read or written."""
        return (), ()

    def close(self) -> None:
        """Nothing was staged."""


def perform(
    task: Task,
    data: Callable[[Task], Data],
    engine: Callable[[Call], Engine[Any]],
    secrets: Callable[[Needs], Mapping[str, str]],
) -> Outcome:
    """Run one attempt: open its data, run its call, check and publish its outputs.

    Args:
        task: what to do.
        data: gives the datasets that the task's storage holds.
        engine: gives what runs a kind of call.
        secrets: resolves references, to environment variables.
    """
    started = time.perf_counter()
    try:
        traced = {"TRACEPARENT": task.traceparent} if task.traceparent else {}
        variables = {**traced, **dict(task.step.needs.env), **secrets(task.step.needs)}
        with environment(variables):
            result, reads, writes = _attempt(task, data, engine)
        return Done(time.perf_counter() - started, reads, writes, result.value, result.parts)
    except BaseException as error:  # noqa: BLE001 - whatever user code raises becomes the attempt's outcome
        return Broken(time.perf_counter() - started, failure(error, task), getattr(error, "parts", ()))


def _attempt(
    task: Task, data: Callable[[Task], Data], engine: Callable[[Call], Engine[Any]]
) -> tuple[Result, Any, Any]:
    if not (task.step.reads or task.step.outputs):
        with protecting(task.protected, task.storage):
            return engine(task.step.call).run(task.step.call, task, NoData()), (), ()
    staging = data(task).begin(task)
    try:
        with protecting(task.protected, task.storage):
            result = engine(task.step.call).run(task.step.call, task, staging)
        reads, writes = staging.commit()
    finally:
        staging.close()
    return result, reads, writes


@contextmanager
def environment(variables: Mapping[str, str]) -> Generator[None]:
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def failure(error: BaseException, task: Task) -> Failure:
    """Return what is told of an error: the user's own place and frames first."""
    place = getattr(error, "place", None) or user_place(error, task.root)
    shown = f"{relative(place.file, task.root)}:{place.line}" if place else ""
    match error:
        case ContractError():
            return Failure("contract", error.message, error.hint, shown, code=error.code)
        case StepError() if error.__cause__ is None:
            return Failure("error", error.message, error.hint, shown, code=error.code)
        case AnabranchError():
            cause = error.__cause__ or error
            return Failure("error", error.message, error.hint, shown, user_trace(cause, task.root), error.code)
        case SystemExit():
            return Failure("error", f"the step's code called sys.exit({error.code!r})", "return instead", shown)
        case MemoryError():
            hint = "use a LazyFrame, SQL, or a machine with more memory"
            return Failure("error", "out of memory", hint, shown, user_trace(error, task.root))
        case OSError() if error.strerror:
            where = f": {error.filename}" if error.filename else ""
            return Failure("error", f"{error.strerror}{where}", "", shown, user_trace(error, task.root))
        case _:
            text = f"{type(error).__name__}: {error}".rstrip(": ")
            return Failure("error", text, "", shown, user_trace(error, task.root))
