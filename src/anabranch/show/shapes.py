"""The objects that `--json` writes. Their keys are a promise: all are always there, and keep their meaning.

Every verb writes one object on one line: `{"anabranch": 1, "verb": ..., ...}` with these keys:

| verb | keys |
|---|---|
| init | `folder`, `files`, `next` |
| check | `ok`, `errors`, `warnings`, `diagnostics`, `pipelines` (names), `datasets` (a count) |
| graph | `pipeline`, `format`, `file`, and `graph`: the text, or `levels`, `nodes` and `edges` for format text |
| steps | `pipeline`, `steps` |
| datasets list | `datasets` |
| datasets show | `dataset`, `written_by`, `read_by` (lists of `pipeline/step`); with `--rows` a `preview` |
| schema | `files`, or `schema` with `--stdout` |
| run, runs retry | see below |
| runs retry --plan | `run`, `code`, `reruns`, `reused` (steps), `params`, `code_diff` |
| ui | `url`, once it answers |
| runs list | `runs` (without their steps) |
| runs show | `run` |
| runs logs | `run`, `logs`: `step`, `attempt`, `file`, `bytes`, `lines` (the last), `cut` |
| runs cancel | `run` (an id), `state` |
| runs export | `run` (an id), `exported`: `to`, `where`, `messages` (a count) |
| runs export -o | `run` (an id), `to`, and `file`, or `told` (messages) with `-o -` |
| test | `ok`, `tests` |
| plan | `plan`: `environment`, `namespace`, `serial`, `digest`, `unchanged` (a count), `changes` |
| apply, import | `plan` (that was made), `applied` |
| destroy | `plan` (that was made), `reports` (a count), `left` (addresses) |
| compile | `environment`, `resources`: `address`, `name`, `digest`, `bytes` |
| compile --show | `address`, `text` |
| branch create | `branch` |
| branch list | `branches` |
| branch show | `branch`, `stale` (datasets of main that have moved on), `code_diff` |
| branch run | as `run` |
| branch deltas | `report`, `failed_rules` |
| branch promote | `branch`, `promoted` (datasets, with the versions before and after), `undone` |
| branch promote --plan | `branch`, `datasets` (with the versions before and after), `obstacles` |
| branch drop | `branch`, `root`, `deleted` (a count), `left` |
| branch drop --plan | `branch`, `root`, `deletes` (names below the root), `runs` (a count) |
| branch gc | `dry_run`, `collected` |
| doctor | `ok`, `findings` |

`run --json` and `runs retry --json` write a line for each recorded event as it happens, then the result:

    {"anabranch": 1, "verb": "run", "run": "7f3a9c2k", "seq": 4, "at": "...Z", "event": "step-succeeded", ...}
    {"anabranch": 1, "verb": "run", "result": {"ok": true, "run": {...}, "datasets": [...], "retry": null}}

A change of a plan has `change` (create, update, delete, record, forget), `address`, `why`, `name`, `before` and `after`
(digests), and `drifted`: whether somebody else changed it since.

`runs logs --follow --json` writes `{"step", "attempt", "line"}` for each line of a log.

An error is `{"anabranch": 1, "verb": ..., "ok": false, "exit_code": 3, "errors": 1, "warnings": 0,
"diagnostics": [...]}`.
Times are UTC, durations seconds, sizes bytes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from anabranch.model.call import DbtCall, kind
from anabranch.model.errors import Severity
from anabranch.model.run import (
    AttemptFailed,
    RunEnded,
    RunStarted,
    StepFailed,
    StepReused,
    StepSkipped,
    StepStarted,
    StepState,
    StepSucceeded,
)
from anabranch.model.summary import summarise
from anabranch.model.values import show
from anabranch.show.human import iso

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anabranch.data.preview import Preview
    from anabranch.model.branch import Branch
    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.errors import Diagnostic
    from anabranch.model.pipeline import Step
    from anabranch.model.place import Place
    from anabranch.model.run import Event, Failure, PortStats, Recorded, Run, StepRun, SubStep
    from anabranch.model.summary import Summary

Shape: TypeAlias = "dict[str, Any]"
"""A JSON object."""


def place(item: Place | None) -> Shape:
    """Return where something was written down, as the keys `file` and `line`."""
    return {"file": item.file if item else None, "line": (item.line or None) if item else None}


def diagnostic(item: Diagnostic) -> Shape:
    """Return one finding."""
    return {
        "severity": item.severity.value,
        "code": item.code,
        "message": item.message,
        "hint": item.hint,
        **place(item.place),
    }


def findings(items: Iterable[Diagnostic]) -> Shape:
    """Return findings, counted."""
    found = tuple(items)
    errors = sum(item.severity is Severity.ERROR for item in found)
    return {"errors": errors, "warnings": len(found) - errors, "diagnostics": [diagnostic(item) for item in found]}


def error(items: Iterable[Diagnostic], exit_code: int) -> Shape:
    """Return what stopped a verb."""
    return {"ok": False, "exit_code": exit_code, **findings(items)}


def dataset(item: DatasetSpec) -> Shape:
    """Return one dataset of the registry; `location` is relative to the storage root."""
    return {
        "name": item.name,
        "stage": item.stage.value,
        "format": item.format.value,
        "location": item.location,
        "columns": [
            {
                "name": column.name,
                "type": column.type,
                "nullable": column.nullable,
                "sensitive": column.sensitive,
                "description": column.description,
            }
            for column in item.columns
        ],
        "primary_key": list(item.primary_key),
        "incremental_field": item.incremental_field,
        "partition_by": list(item.partition_by),
        "ingestion": item.ingestion.value,
        "description": item.description,
        **place(item.place),
    }


def preview(item: Preview) -> Shape:
    """Return rows of a dataset as text; of `hidden` columns no value is told."""
    return {
        "columns": [{"name": name, "type": kind} for name, kind in item.columns],
        "rows": [list(row) for row in item.rows],
        "hidden": list(item.hidden),
    }


def step(item: Step) -> Shape:
    """Return one step of a pipeline; `parts` are the models of a dbt step."""
    return {
        "id": item.id,
        "kind": kind(item.call),
        "reads": [
            {"port": port.name, "dataset": port.dataset, "columns": list(port.columns), "rows": port.rows.value}
            for port in item.reads
        ],
        "writes": [{"port": port.name, "dataset": port.dataset} for port in item.outputs],
        "takes": [{"port": port.name, "type": show(port.type), "from": list(port.sources)} for port in item.takes],
        "gives": show(item.value.type) if item.value else None,
        "after": list(item.after),
        "params": list(item.params),
        "retry": {
            "attempts": item.retry.attempts,
            "delay": item.retry.delay,
            "backoff": item.retry.backoff,
            "max_delay": item.retry.max_delay,
            "jitter": item.retry.jitter,
        },
        "timeout": item.timeout,
        "external": item.external,
        "description": item.description,
        "parts": list(item.call.models) if isinstance(item.call, DbtCall) else [],
        **place(item.place),
    }


def failure(item: Failure | None) -> Shape | None:
    """Return why an attempt failed."""
    if item is None:
        return None
    return {
        "kind": item.kind,
        "code": item.code,
        "message": item.message,
        "hint": item.hint,
        "place": item.place,
        "trace": item.trace,
    }


def port(item: PortStats) -> Shape:
    """Return what went through one dataset port."""
    return {
        "port": item.port,
        "dataset": item.dataset,
        "rows": item.rows,
        "bytes": item.bytes,
        "version": item.version,
    }


def part(item: SubStep) -> Shape:
    """Return one part of a step, such as a dbt model."""
    return {
        "name": item.name,
        "state": item.state.value,
        "seconds": item.seconds,
        "rows": item.rows,
        "message": item.message,
    }


def step_run(item: StepRun) -> Shape:
    """Return what became of one step."""
    return {
        "step": item.step,
        "state": item.state.value,
        "attempts": item.attempts,
        "seconds": item.seconds,
        "started_at": iso(item.started_at),
        "ended_at": iso(item.ended_at),
        "reads": [port(stats) for stats in item.reads],
        "writes": [port(stats) for stats in item.writes],
        "value": item.value,
        "failure": failure(item.failure),
        "because": item.because,
        "reused_of": item.of,
        "parts": [part(sub) for sub in item.parts],
    }


def run(item: Run) -> Shape:
    """Return one run with its steps."""
    return summary(summarise(item)) | {"steps": [step_run(one) for one in item.steps]}


def summary(item: Summary) -> Shape:
    """Return one run without its steps; `counts` has a number for every state of a step."""
    return {
        "id": item.id,
        "pipeline": item.pipeline,
        "namespace": item.namespace,
        "state": item.state.value,
        "started_at": iso(item.started_at),
        "ended_at": iso(item.ended_at),
        "seconds": item.seconds,
        "params": dict(item.params),
        "input": item.input,
        "code": item.code,
        "retry_of": item.of,
        "trigger": item.trigger,
        "message": item.message,
        "counts": {state.value: item.counts.get(state, 0) for state in StepState},
    }


def branch(item: Branch) -> Shape:
    """Return one branch; `root` ends in `/`, and everything that it owns lies below it."""
    promotion = item.promotion
    return {
        "name": item.name,
        "pipeline": item.pipeline,
        "kind": item.kind.value,
        "root": item.root,
        "steps": [{"step": each.step, "role": each.role.value, "why": list(each.why)} for each in item.reasons],
        "base_run": item.base,
        "run": item.run,
        "params": dict(item.params),
        "sample": str(item.sample) if item.sample else None,
        "inputs": [
            {"dataset": pin.dataset, "version": pin.version or None, "floating": not pin.version, "goes_on": pin.base}
            for pin in item.pins
        ],
        "sampled": {each.dataset: each.how for each in item.sampled},
        "git": item.git or None,
        "created_at": iso(item.created_at),
        "expires_at": iso(item.expires_at),
        "promoted": promotion is not None and not promotion.undone,
    }


def event(item: Recorded) -> Shape:
    """Return one event of a run; which further keys there are depends on `event`."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "-", type(item.event).__name__).lower()
    head: Shape = {"run": item.run, "seq": item.seq, "at": iso(item.at), "event": name}
    return head | _body(item.event)


def _body(item: Event) -> Shape:
    match item:
        case RunStarted():
            return {
                "pipeline": item.pipeline,
                "steps": list(item.steps),
                "namespace": item.namespace,
                "params": dict(item.params),
                "input": item.input,
                "code": item.code,
                "retry_of": item.of,
                "trigger": item.trigger,
            }
        case RunEnded():
            return {"state": item.state.value, "seconds": item.seconds, "message": item.message}
        case _:
            return {"step": item.step} | _step_body(item)


def _step_body(item: Event) -> Shape:
    match item:
        case StepStarted():
            return {"attempt": item.attempt}
        case AttemptFailed():
            return {
                "attempt": item.attempt,
                "seconds": item.seconds,
                "wait": item.wait,
                "failure": failure(item.failure),
            }
        case StepSucceeded():
            return {
                "attempt": item.attempt,
                "seconds": item.seconds,
                "reads": [port(stats) for stats in item.reads],
                "writes": [port(stats) for stats in item.writes],
                "value": item.value,
                "parts": [part(sub) for sub in item.parts],
            }
        case StepFailed():
            return {
                "attempt": item.attempt,
                "seconds": item.seconds,
                "failure": failure(item.failure),
                "parts": [part(sub) for sub in item.parts],
            }
        case StepReused():
            return {
                "reused_of": item.of,
                "writes": [port(stats) for stats in item.writes],
                "value": item.value,
            }
        case StepSkipped():
            return {"because": item.because}
        case _:
            return {}
