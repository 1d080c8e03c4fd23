"""A step's ports and params, as a process gets them: in its arguments, in its environment, and in one JSON file."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import StepError, closest

if TYPE_CHECKING:
    from anabranch.model.pipeline import Json
    from anabranch.model.task import Task
    from anabranch.ports import Staging

_PLACEHOLDER = re.compile(r"\$\$\{|\$\{(in|out|params)\.([^}]*)\}")


@dataclass(frozen=True)
class Context:
    """What a process is told. `values` is by placeholder, such as `in.flights`."""

    values: dict[str, str]
    environment: dict[str, str]
    value_file: Path | None

    def fill(self, text: str, *, shell: bool = False) -> str:
        """Put values in the place of `${in.x}`, `${out.x}` and `${params.x}`; `$${` is a plain `${`.

        Args:
            text: an argument, or a whole command line.
            shell: quote each value, so that no value can become a command.

        Raises:
            StepError: `unknown-port`.
        """

        def replace(match: re.Match[str]) -> str:
            if match[1] is None:
                return "${"
            name = f"{match[1]}.{match[2]}"
            if name not in self.values:
                message = f"`${{{name}}}` names nothing"
                raise StepError(message, code="unknown-port", hint=closest(name, self.values))
            return shlex.quote(self.values[name]) if shell else self.values[name]

        return _PLACEHOLDER.sub(replace, text)


def prepare(task: Task, staging: Staging) -> Context:
    """Write the context file and return all that the process is told."""
    scratch = Path(task.scratch)
    scratch.mkdir(parents=True, exist_ok=True)
    params, given = dict(task.params), dict(task.values)
    value_file = scratch / "value.json" if task.step.value is not None else None
    inputs: dict[str, dict[str, Any]] = {
        name: {"dataset": each.dataset.name, "location": each.location, "format": each.dataset.format.value}
        for name, each in staging.sources.items()
    } | {name: {"value": value} for name, value in given.items()}
    outputs: dict[str, dict[str, Any]] = {
        name: {"dataset": each.dataset.name, "location": each.location, "format": each.dataset.format.value}
        for name, each in staging.targets.items()
    }
    values = {f"in.{name}": each.location for name, each in staging.sources.items()}
    values |= {f"in.{name}": _text(value) for name, value in given.items()}
    values |= {f"out.{name}": each.location for name, each in staging.targets.items()}
    values |= {f"params.{name}": value for name, value in params.items()}
    if value_file is not None:
        value_file.unlink(missing_ok=True)
        values["out.value"] = str(value_file)
        outputs["value"] = {"location": str(value_file)}
    context = {
        "anabranch": 1,
        "run": task.run,
        "pipeline": task.pipeline,
        "step": task.step.id,
        "attempt": task.attempt,
        "namespace": task.namespace,
        "params": params,
        "inputs": inputs,
        "outputs": outputs,
    }
    file = scratch / "context.json"
    file.write_text(json.dumps(context, indent=2), encoding="utf-8")
    prefixes = {"in": "ANABRANCH_IN_", "out": "ANABRANCH_OUT_", "params": "ANABRANCH_PARAM_"}
    environment = {
        prefixes[where] + re.sub(r"\W", "_", name).upper(): value
        for (where, _, name), value in ((key.partition("."), value) for key, value in values.items())
    }
    environment |= {"ANABRANCH_CONTEXT": str(file), "ANABRANCH_SCRATCH": str(scratch)}
    return Context(values, environment, value_file)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def returned(context: Context, task: Task) -> Json:
    """Return the value that the process wrote, if the step gives one.

    Raises:
        StepError: `value-not-written`, or it is not JSON.
    """
    if context.value_file is None:
        return None
    try:
        value: Json = json.loads(context.value_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        message = f"step `{task.step.id}` gives a value, but wrote none"
        hint = "write JSON to ${out.value}, or to the file named by ANABRANCH_OUT_VALUE"
        raise StepError(message, code="value-not-written", hint=hint) from None
    except ValueError as error:
        message = f"the value that step `{task.step.id}` wrote is not JSON: {error}"
        raise StepError(message, code="bad-value", hint='a text needs quotation marks: "done"') from None
    return value
