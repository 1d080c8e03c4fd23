"""Test cases of pipelines: small inputs, a storage of their own, and what must come out."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.data.compare import compare, seed
from anabranch.model.errors import AnabranchError, Diagnostic, InvalidProject, UsageError, closest
from anabranch.model.graph import reachable
from anabranch.model.run import RunState

if TYPE_CHECKING:
    from collections.abc import Callable

    from anabranch.model.pipeline import Pipeline, StepId, TestCase
    from anabranch.model.run import Run

    Start = Callable[[Pipeline, TestCase, frozenset[StepId], Path, Path], Run]


@dataclass(frozen=True)
class TestResult:
    """One test case, run. `differences` are for people; none means that it passed."""

    __test__ = False

    pipeline: str
    case: TestCase
    differences: tuple[str, ...]
    seconds: float
    run: Run | None = None

    @property
    def ok(self) -> bool:
        """Whether the outputs were as expected."""
        return not self.differences


def run_case(pipeline: Pipeline, case: TestCase, root: Path, start: Start) -> TestResult:
    """Run one case in a temporary storage.

    Args:
        pipeline: whose case it is.
        case: what is given and expected.
        root: the project's root, for the case's files.
        start: runs chosen steps of the pipeline: with the case, in a storage, with a state folder.
    """
    began = time.monotonic()
    run: Run | None = None
    with tempfile.TemporaryDirectory(prefix="anabranch-test-") as folder:
        storage, state = Path(folder, "data"), Path(folder, "state")
        try:
            chosen = needed(pipeline, case)
            for name, table in case.given:
                seed(storage, pipeline.dataset_by_name[name], table, root)
            run = start(pipeline, case, chosen, storage, state)
            differences = _failures(run) or _differences(pipeline, case, storage, root, run)
        except AnabranchError as error:
            differences = (error.message, *([f"try: {error.hint}"] if error.hint else []))
    return TestResult(pipeline.name, case, differences, time.monotonic() - began, run)


def needed(pipeline: Pipeline, case: TestCase) -> frozenset[StepId]:
    """Return the steps that lead from what is given to what is expected.

    Raises:
        InvalidProject: the case names what is not there.
        UsageError: `missing-input`, a needed dataset is not given.
    """
    given, expected = {name for name, _ in case.given}, {name for name, _ in case.expect}
    problems = [_unknown(case, name, pipeline.dataset_by_name) for name in sorted(given | expected)]
    problems += [_unknown(case, name, pipeline.step_by_id) for name, _ in case.values]
    unknown = [problem for problem in problems if problem is not None]
    if unknown:
        raise InvalidProject(unknown)
    writers = pipeline.writer_of
    replaced = {writers[name] for name in given if name in writers}
    ends = {writers[name] for name in expected if name in writers}
    ends |= {step for step in pipeline.step_by_id if any(step == name for name, _ in case.values)}
    if not ends:
        ends = set(pipeline.step_by_id)
    upstream = {step: tuple(s for s in sources if s not in replaced) for step, sources in pipeline.upstream.items()}
    chosen = reachable(upstream, ends) - (replaced - ends)
    for step in sorted(chosen):
        for port in pipeline.step_by_id[step].reads:
            if port.dataset not in given and writers.get(port.dataset) not in chosen:
                message = f"test `{case.name}` gives no rows for `{port.dataset}`, which step `{step}` reads"
                raise UsageError(message, code="missing-input", hint=f"given: {{{port.dataset}: [...]}}")
    return frozenset(chosen)


def _unknown(case: TestCase, name: str, known: object) -> Diagnostic | None:

    names = list(known) if isinstance(known, dict) else []
    if name in names:
        return None
    message = f"test `{case.name}` names `{name}`, which the pipeline does not have"
    return Diagnostic("unknown-name", message, closest(name, names), case.place)


def _failures(run: Run) -> tuple[str, ...]:
    if run.state is RunState.SUCCEEDED:
        return ()
    failed = [(step.step, step.failure) for step in run.steps if step.failure is not None and step.state == "failed"]
    return tuple(
        f"step `{step}` failed: {failure.message}" + (f" ({failure.place})" if failure.place else "")
        for step, failure in failed
    ) or (f"the run has {run.state}",)


def _differences(pipeline: Pipeline, case: TestCase, storage: Path, root: Path, run: Run) -> tuple[str, ...]:
    found: list[str] = []
    for name, table in case.expect:
        found += compare(storage, pipeline.dataset_by_name[name], table, root, case.tolerance)
    for name, value in case.values:
        told = next(step.value for step in run.steps if step.step == name)
        if told != value:
            found.append(f"step `{name}` returned {told!r}, expected is {value!r}")
    return tuple(found)
