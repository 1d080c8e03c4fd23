"""Runs a dbt project as a step: `dbt build` on a selector, its models and tests told one by one."""

from __future__ import annotations

import json
import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.model.errors import AnabranchError, StepError, closest
from anabranch.platforms.dbt.results import failure, read, trouble
from anabranch.platforms.process.context import prepare
from anabranch.platforms.process.start import start
from anabranch.platforms.process.values import returned
from anabranch.ports import Result

if TYPE_CHECKING:
    from datetime import date

    from anabranch.model.call import DbtCall
    from anabranch.model.task import Task
    from anabranch.platforms.process.context import Context
    from anabranch.ports import Staging

_QUIET = {"DBT_SEND_ANONYMOUS_USAGE_STATS": "False", "DO_NOT_TRACK": "1"}
"""Also where dbt's own `flags:` say otherwise."""
_MISSING = (
    "name dbt-core and its adapter in the step's requirements, pip install 'anabranch[dbt]', or set ANABRANCH_DBT"
)


class DbtEngine:
    """The `Engine` of `DbtCall`.

    Models reach the step's ports by `env_var('ANABRANCH_IN_X')` and `env_var('ANABRANCH_OUT_X')`; with dbt-duckdb a
    model is written to a port by `config(materialized='external', location=env_var('ANABRANCH_OUT_X'))`.
    """

    def run(self, call: DbtCall, task: Task, staging: Staging) -> Result:
        """Build what the selector chooses. Nothing is written into the dbt project itself.

        Raises:
            StepError: `not-installed`, `nothing-selected`; `dbt-failed`, naming the models that failed.
            ContractError: `dbt-test-failed`, when only tests on data failed.
        """
        context = prepare(task, staging)
        scratch = Path(task.scratch) / "dbt"
        shutil.rmtree(scratch, ignore_errors=True)
        argv = command(find_dbt(own=bool(task.step.needs.requirements)), call, context, task, scratch)
        ended: StepError | None = None
        try:
            start(argv, folder=Path(task.root), environment={**context.environment, **_QUIET}, name="dbt")
        except StepError as error:
            ended = error
        nodes = read(scratch / "target")
        told: AnabranchError | None = None
        if ended is not None:
            told = failure(nodes, call.project) or trouble(scratch / "logs" / "dbt.log", call.project) or ended
        elif not nodes:
            message = f"`{call.select}` selects nothing in the dbt project {call.project}"
            hint = closest(call.select, call.models) if call.models else "correct the selector"
            told = StepError(message, code="nothing-selected", hint=hint, place=task.step.place)
        if told is not None:
            told.parts = tuple(node.part for node in nodes)
            raise told
        return Result(returned(context, task), tuple(node.part for node in nodes))


def command(dbt: list[str], call: DbtCall, context: Context, task: Task, scratch: Path) -> list[str]:
    """Return the command line of dbt. Its profile is the project's own, if it has one, or else the user's."""
    project = Path(task.root) / call.project
    profiles = call.profiles or (call.project if (project / "profiles.yml").exists() else "")
    argv = [*dbt, "--no-use-colors", "--no-send-anonymous-usage-stats", "--no-partial-parse"]
    argv += ["--log-format-file", "json", "build", "--project-dir", str(project)]
    argv += ["--target-path", str(scratch / "target"), "--log-path", str(scratch / "logs")]
    if profiles:
        argv += ["--profiles-dir", str(Path(task.root) / profiles)]
    if call.select:
        argv += ["--select", *call.select.split()]
    if call.target:
        argv += ["--target", call.target]
    if variables := _variables(call, context, task):
        argv += ["--vars", json.dumps(variables)]
    return argv


def _variables(call: DbtCall, context: Context, task: Task) -> dict[str, str | int | float | bool]:
    """Return dbt's vars: the pipeline's params, and those of the call, with numbers and truth values as such."""
    given = dict(task.params)
    found = {param.name: _plain(param.parse(given[param.name])) for param in task.declared if param.name in given}
    return found | {name: _scalar(context.fill(text)) for name, text in call.vars}


def _plain(value: str | float | date) -> str | int | float | bool:
    return value if isinstance(value, str | int | float) else value.isoformat()


def _scalar(text: str) -> str | int | float | bool:
    """Return a text as the number or truth value that it spells exactly; `01234` and `1.50` stay text.

    >>> [_scalar(text) for text in ("5", "0.5", "true", "01234", "yes")]
    [5, 0.5, True, '01234', 'yes']
    """
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) and json.dumps(value) == text else text


def find_dbt(*, own: bool = False) -> list[str]:
    """Return the dbt command: of the step's own environment, of ANABRANCH_DBT, beside this Python, or on the PATH.

    Where a step's packages are no environment, but lie on this Python's path, it is a module of theirs.

    Args:
        own: whether the step has requirements, so that its own environment is the first on the PATH.

    Raises:
        StepError: `not-installed`.
    """
    given = os.environ.get("ANABRANCH_DBT")
    if given and not own and not os.access(given, os.X_OK):
        message = f"ANABRANCH_DBT is {given}, which is no command"
        raise StepError(message, code="not-installed", hint="correct or unset it")
    beside = Path(sys.executable).with_name("dbt")
    places = [given, str(beside) if beside.exists() else None, shutil.which("dbt")]
    if own and "VIRTUAL_ENV" in os.environ:
        places.insert(0, shutil.which("dbt", path=str(Path(os.environ["VIRTUAL_ENV"], "bin"))))
    elif own and find_spec("dbt") is not None:
        return [sys.executable, "-m", "dbt.cli.main"]
    found = next(filter(None, places), None)
    if found is None:
        raise StepError("dbt is not installed", code="not-installed", hint=_MISSING)
    return [found]
