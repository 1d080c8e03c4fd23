"""A step's ports and params, as a process gets them: in its arguments, in its environment, and in one JSON file."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import StepError
from anabranch.platforms.process.placeholders import fill, script

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from anabranch.model.pipeline import Json
    from anabranch.model.task import Task
    from anabranch.ports import Source, Staging, Target

_PREFIXES = {"in": "ANABRANCH_IN_", "out": "ANABRANCH_OUT_", "params": "ANABRANCH_PARAM_"}
_LONGEST = 32 * 1024
"""Bytes of one variable. Linux takes 128 KiB for one and 2 MiB for all together; longer values are in the file only."""


@dataclass(frozen=True)
class Context:
    """What a process is told. `values` and `variables` are by placeholder, such as `in.flights`."""

    values: Mapping[str, str]
    variables: Mapping[str, str]
    environment: Mapping[str, str]
    value_file: Path | None = None

    def fill(self, text: str) -> str:
        """Return an argument with values in the place of `${in.x}`, `${out.x}` and `${params.x}`; `$${in.x}` is kept.

        Raises:
            StepError: `unknown-port`, `not-an-argument`.
        """
        return fill(text, self.values)

    def script(self, text: str) -> str:
        """Return a command line for a shell, with each placeholder as a variable of `environment`.

        Raises:
            StepError: `unknown-port`, `not-an-argument`.
        """
        return script(
            text, self.values, {key: name for key, name in self.variables.items() if name in self.environment}
        )


def prepare(task: Task, staging: Staging) -> Context:
    """Write the context file and return all that the process is told.

    Raises:
        StepError: `duplicate-port`, two ports would have one variable.
    """
    scratch = Path(task.scratch)
    scratch.mkdir(parents=True, exist_ok=True)
    value_file = scratch / "value.json" if task.step.value is not None else None
    values = {f"in.{name}": each.location for name, each in staging.sources.items()}
    values |= {f"in.{name}": _text(value) for name, value in task.values}
    values |= {f"out.{name}": each.location for name, each in staging.targets.items()}
    values |= {f"params.{name}": value for name, value in task.params}
    if value_file is not None:
        value_file.unlink(missing_ok=True)
        values["out.value"] = str(value_file)
    file = scratch / "context.json"
    file.write_text(json.dumps(_told(task, staging, value_file), indent=2), encoding="utf-8")
    variables = _variables(values, task)
    environment = {variables[key]: value for key, value in values.items() if _fits(value)}
    environment |= {"ANABRANCH_CONTEXT": str(file), "ANABRANCH_SCRATCH": str(scratch)}
    return Context(values, variables, environment, value_file)


def _told(task: Task, staging: Staging, value_file: Path | None) -> dict[str, Any]:
    inputs, outputs = _datasets(staging.sources.items()), _datasets(staging.targets.items())
    inputs |= {name: {"value": value} for name, value in task.values}
    if value_file is not None:
        outputs["value"] = {"location": str(value_file)}
    return {
        "anabranch": 1,
        "run": task.run,
        "pipeline": task.pipeline,
        "step": task.step.id,
        "attempt": task.attempt,
        "namespace": task.namespace,
        "params": dict(task.params),
        "inputs": inputs,
        "outputs": outputs,
    }


def _datasets(ports: Iterable[tuple[str, Source | Target]]) -> dict[str, dict[str, Any]]:
    return {
        name: {"dataset": each.dataset.name, "location": each.location, "format": each.dataset.format.value}
        for name, each in ports
    }


def _variables(keys: Iterable[str], task: Task) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in keys:
        variable = variable_of(key)
        other = next((each for each, same in found.items() if same == variable), None)
        if other is not None:
            message = f"step `{task.step.id}`: `{other}` and `{key}` would both be the variable {variable}"
            raise StepError(message, code="duplicate-port", hint="name one otherwise", place=task.step.place)
        found[key] = variable
    return found


def variable_of(key: str) -> str:
    """Return the environment variable of a placeholder.

    >>> variable_of("in.my-flights")
    'ANABRANCH_IN_MY_FLIGHTS'
    """
    where, _, name = key.partition(".")
    return _PREFIXES[where] + re.sub(r"[^A-Za-z0-9_]", "_", name).upper()


def _fits(value: str) -> bool:
    try:
        return "\0" not in value and len(os.fsencode(value)) <= _LONGEST
    except UnicodeEncodeError:
        return False


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
