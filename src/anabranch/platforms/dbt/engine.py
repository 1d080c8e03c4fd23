"""Runs a dbt project as a step: `dbt build` on a selector, its models and tests told one by one."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import AnabranchError, ContractError, StepError
from anabranch.model.run import StepState, SubStep
from anabranch.platforms.process.context import prepare
from anabranch.platforms.process.start import start
from anabranch.platforms.process.values import returned
from anabranch.ports import Result

if TYPE_CHECKING:
    from anabranch.model.call import DbtCall
    from anabranch.model.task import Task
    from anabranch.platforms.process.context import Context
    from anabranch.ports import Staging

_STATES = {
    "success": StepState.SUCCEEDED,
    "pass": StepState.SUCCEEDED,
    "warn": StepState.SUCCEEDED,
    "skipped": StepState.SKIPPED,
}


class DbtEngine:
    """The `Engine` of `DbtCall`."""

    def run(self, call: DbtCall, task: Task, staging: Staging) -> Result:
        """Build what the selector chooses. Nothing is written into the dbt project itself.

        Raises:
            StepError: `not-installed`; `step-failed`, naming the models that failed.
            ContractError: `dbt-test-failed`, when only tests failed.
        """
        context = prepare(task, staging)
        target = Path(task.scratch) / "target"
        environment = {**context.environment, "DBT_SEND_ANONYMOUS_USAGE_STATS": "False", "DO_NOT_TRACK": "1"}
        failed: AnabranchError | None = None
        try:
            start(command(find_dbt(), call, context, task, target), folder=Path(task.root), environment=environment)
        except StepError as error:
            failed = error
        parts = tuple(_parts(target / "run_results.json"))
        if failed is not None:
            broken = _failure(parts, failed)
            broken.parts = parts
            raise broken
        return Result(returned(context, task), parts)


def command(dbt: str, call: DbtCall, context: Context, task: Task, target: Path) -> list[str]:
    """Return the command line of dbt."""
    argv = [dbt, "--no-use-colors", "--no-version-check", "build"]
    argv += ["--project-dir", str(Path(task.root) / call.project)]
    argv += ["--profiles-dir", str(Path(task.root) / (call.profiles or call.project))]
    argv += ["--target-path", str(target), "--log-path", str(target.parent / "logs")]
    if call.select:
        argv += ["--select", *call.select.split()]
    if call.target:
        argv += ["--target", call.target]
    variables = dict(task.params) | {name: context.fill(value) for name, value in call.vars}
    if variables:
        argv += ["--vars", json.dumps(variables)]
    return argv


def find_dbt() -> str:
    """Return the dbt command: ANABRANCH_DBT, beside this Python, or on the PATH.

    Raises:
        StepError: `not-installed`.
    """
    beside = Path(sys.executable).parent / "dbt"
    found = os.environ.get("ANABRANCH_DBT") or (str(beside) if beside.exists() else shutil.which("dbt"))
    if not found:
        message = "dbt is not installed"
        raise StepError(message, code="not-installed", hint="pip install 'anabranch[dbt]', or set ANABRANCH_DBT")
    return found


def _parts(results: Path) -> list[SubStep]:
    """Return dbt's own account of each model, seed, snapshot and test."""
    try:
        told: dict[str, Any] = json.loads(results.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return []
    found: list[SubStep] = []
    for each in told["results"]:
        kind, _, name = each["unique_id"].partition(".")
        rows = (each.get("adapter_response") or {}).get("rows_affected")
        state = _STATES.get(each["status"], StepState.FAILED)
        shown = name.partition(".")[2].rpartition(".")[0] if kind == "test" else name.partition(".")[2]
        message = (each.get("message") or "") if state is StepState.FAILED else ""
        count = rows if isinstance(rows, int) and rows >= 0 else None
        found.append(SubStep(f"{kind} {shown or name}", state, each["execution_time"], count, message))
    return found


def _failure(parts: tuple[SubStep, ...], failed: AnabranchError) -> AnabranchError:
    broken = [part for part in parts if part.state is StepState.FAILED]
    if not broken:
        return failed
    lines = "\n".join(f"{part.name}: {' '.join(part.message.split())}" for part in broken)
    if all(part.name.startswith("test ") for part in broken):
        return ContractError(lines, code="dbt-test-failed", hint="look at the rows that dbt's test selects")
    return StepError(lines, hint="see dbt's output in the log")
