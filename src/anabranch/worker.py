"""A worker process, wired: `python -m anabranch.worker FD` serves a runner, `--once TASK OUTCOME` does one task.

The second form is the small entry point that runs a step anywhere: a task as JSON in, an outcome as JSON out.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never, cast

from anabranch.model import codec
from anabranch.model.call import (
    Call,
    ContainerCall,
    DbtCall,
    NativeCall,
    PythonCall,
    ShellCall,
    SparkCall,
    SqlCall,
    kind,
)
from anabranch.model.errors import AnabranchError, StepError
from anabranch.model.task import SESSION, Broken, Outcome, Task
from anabranch.run.perform import environment, failure, perform
from anabranch.run.redact import Redactor
from anabranch.run.serve import become_worker, die_with_parent, serve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anabranch.model.pipeline import Needs
    from anabranch.ports import Data, Engine

INSIDE = "ANABRANCH_STEP_ENVIRONMENT"
"""Set in the environment of a step's own interpreter, so that it is not entered twice."""


def serve_here(sock: socket.socket) -> None:
    """Serve a runner in this process."""
    serve(sock, do, hidden)


def do(task: Task) -> Outcome:
    """Perform a task: in this interpreter, or in one that has the step's requirements."""
    if _on_cluster(task):
        task = replace(task, cluster=True)
    if task.step.needs.requirements and INSIDE not in os.environ:
        from anabranch.run.envs import activated, python_for

        extra = _extra(task) if isinstance(task.step.call, PythonCall) else ()
        try:
            python = python_for(task.step.needs.requirements, cache_folder() / "envs", extra)
        except StepError as error:
            return Broken(0.0, failure(error, task))
        with environment({**activated(python), INSIDE: "1"}):
            return _elsewhere(task, python) if isinstance(task.step.call, PythonCall) else _here(task)
    return _here(task)


def _on_cluster(task: Task) -> bool:
    """Tell whether Spark, where the step has any, runs on other machines."""
    if SESSION in os.environ:
        return True
    if not isinstance(task.step.call, SparkCall):
        return False
    from anabranch.platforms.spark.engine import is_here

    return not is_here(task.step.call.master)


def _here(task: Task) -> Outcome:
    return perform(task, _data, _engine, _secrets)


def hidden(task: Task) -> list[str]:
    """Return the values that a task's log and outcome must not show; none where they cannot be resolved."""
    try:
        return list(_secrets(task.step.needs).values())
    except AnabranchError:
        return []


def _data(task: Task) -> Data:
    local = import_module("anabranch.data.local")
    return cast("Data", local.LocalData(Path(task.storage)))


_ENGINES = {
    "python": ("python.engine", "PythonEngine"),
    "sql": ("duckdb.sql", "SqlEngine"),
    "shell": ("shell.engine", "ShellEngine"),
    "spark": ("spark.engine", "SparkEngine"),
    "dbt": ("dbt.engine", "DbtEngine"),
}


HERE = {
    "python": "a worker process, in the step's own environment",
    "sql": "DuckDB, in a worker process",
    "shell": "a process",
    "spark": "spark-submit, local or to a cluster",
    "dbt": "dbt's command line",
}
"""How each kind of call runs on this machine, for people."""


@cache
def _engine_for(name: str) -> Engine[Any]:
    module, engine = _ENGINES[name]
    return cast("Engine[Any]", getattr(import_module(f"anabranch.platforms.{module}"), engine)())


def _engine(call: Call) -> Engine[Any]:
    match call:
        case PythonCall() | SqlCall() | ShellCall() | SparkCall() | DbtCall():
            return _engine_for(kind(call))
        case ContainerCall() | NativeCall():
            message = f"a {kind(call)} call does not run on this machine"
            hint = "leave the step out with --only, --from or --to"
            raise StepError(message, code="not-local", hint=hint)
        case _:
            assert_never(call)


def _secrets(needs: Needs) -> Mapping[str, str]:
    if not needs.secrets:
        return {}
    from anabranch.platforms.process.secrets import resolve_secrets

    return resolve_secrets(needs)


def _elsewhere(task: Task, python: Path) -> Outcome:
    """Perform the task in the interpreter of the step's own environment."""
    folder = Path(task.scratch)
    folder.mkdir(parents=True, exist_ok=True)
    asked, told = folder / "task.json", folder / "outcome.json"
    asked.write_text(json.dumps(codec.encode(task)))
    told.unlink(missing_ok=True)
    command = [str(python), "-m", "anabranch.worker", "--once", str(asked), str(told)]
    inside = {**os.environ, "PYTHONPATH": str(_only_us())}
    code = subprocess.run(command, env=inside, check=False).returncode
    if not told.exists():
        message = f"its interpreter ended with {code} without an answer"
        return Broken(0.0, failure(StepError(message, code="killed", hint="see the log"), task))
    return codec.decode(cast("type[Outcome]", Outcome), json.loads(told.read_text()))


def _extra(task: Task) -> list[str]:
    """What our own code needs in a step's environment, at the versions that are installed here."""
    from importlib.metadata import version

    names = ["msgspec", *(["duckdb", "pyarrow"] if task.datasets else [])]
    return [f"{name}=={version(name)}" for name in names]


def cache_folder() -> Path:
    """Return the user's folder for what can be made again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "anabranch"


def _only_us() -> Path:
    """Return a folder that holds this package and nothing else, so that nothing leaks into a step's environment."""
    folder = cache_folder() / "runtime"
    link = folder / "anabranch"
    package = Path(__file__).parent
    if not (link.is_symlink() and link.resolve() == package.resolve()):
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / f"anabranch.{os.getpid()}"
        fresh.symlink_to(package)
        fresh.replace(link)
    return folder


def main(arguments: list[str]) -> None:
    """Do what the command line says."""
    if arguments[:1] == ["--once"]:
        if INSIDE in os.environ:
            die_with_parent()  # the worker that waits for us
        task = codec.decode(Task, json.loads(Path(arguments[1]).read_text()))
        outcome = Redactor(hidden(task)).outcome(do(task))
        fresh = Path(arguments[2] + ".new")
        fresh.write_text(json.dumps(codec.encode(outcome)))
        fresh.replace(arguments[2])
    else:
        become_worker()
        serve_here(socket.socket(fileno=int(arguments[0])))
    sys.stdout.flush()
    os._exit(0)  # a library's leftover thread must not keep a finished worker alive


if __name__ == "__main__":
    main(sys.argv[1:])
