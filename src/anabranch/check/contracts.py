"""Rules about columns: what is promised, what is needed, and what queries make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.model.call import SqlCall
from anabranch.model.errors import Diagnostic, Severity, closest
from anabranch.model.pipeline import ParamType

if TYPE_CHECKING:
    from anabranch.check.subject import Subject
    from anabranch.model.columns import Column
    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.pipeline import Step


def promised_columns(subject: Subject) -> list[Diagnostic]:
    """A column that a step needs is one that the dataset promises."""
    found: list[Diagnostic] = []
    for step in subject.pipeline.steps:
        for port in step.reads:
            spec = subject.pipeline.dataset_by_name.get(port.dataset)
            if spec is None or not port.columns:
                continue
            promised = [column.name for column in spec.columns]
            place = port.place or step.place
            if not promised:
                message = f"step `{step.id}` needs {_list(port.columns)} of `{spec.name}`, which promises no columns"
                hint = f"list the columns of `{spec.name}` ({spec.place})"
                found.append(Diagnostic("no-promise", message, hint, place, Severity.WARNING))
                continue
            for column in port.columns:
                if column not in promised:
                    message = f"step `{step.id}` needs column `{column}` of `{spec.name}`, which does not promise it"
                    found.append(Diagnostic("missing-promise", message, closest(column, promised), place))
    return found


def known_columns(subject: Subject) -> list[Diagnostic]:
    """Keys, partitions and incremental fields are promised columns, where any are promised; no column stands twice."""
    found: list[Diagnostic] = []
    for spec in subject.pipeline.datasets:
        names = [column.name for column in spec.columns]
        found += [
            Diagnostic(
                "duplicate-column", f"dataset `{spec.name}` promises column `{name}` twice", "keep one", spec.place
            )
            for name in sorted({name for name in names if names.count(name) > 1})
        ]
        if not names:
            continue
        used = [("primary_key", name) for name in spec.primary_key]
        used += [("partition_by", name) for name in spec.partition_by]
        used += [("incremental_field", spec.incremental_field)] if spec.incremental_field else []
        for where, name in used:
            if name not in names:
                message = f"dataset `{spec.name}`: {where} names `{name}`, which is no promised column"
                found.append(Diagnostic("unknown-column", message, closest(name, names), spec.place))
    return found


_SQL_TYPES = {
    ParamType.STRING: "string",
    ParamType.INT: "int64",
    ParamType.FLOAT: "float64",
    ParamType.BOOL: "bool",
    ParamType.DATE: "date",
    ParamType.DATETIME: "timestamp",
}


def bound_queries(subject: Subject) -> list[Diagnostic]:
    """A query fits the columns that its inputs promise, and gives those that its output promises."""
    found: list[Diagnostic] = []
    for step in subject.pipeline.steps:
        if not isinstance(step.call, SqlCall):
            continue
        if len(step.outputs) != 1:
            message = f"step `{step.id}` is a query and writes {len(step.outputs)} datasets"
            found.append(Diagnostic("sql-outputs", message, "a query writes exactly one", step.place))
            continue
        found += _bind(subject, step, step.call)
    return found


def _bind(subject: Subject, step: Step, call: SqlCall) -> list[Diagnostic]:
    specs = subject.pipeline.dataset_by_name
    inputs = {port.name: specs.get(port.dataset) for port in step.reads}
    target = specs.get(step.outputs[0].dataset)
    query = call.query
    if call.file:
        path = subject.root / call.file
        if not path.is_file():
            return []  # `missing-file` tells
        query = path.read_text(errors="replace")
    if subject.bind is None or target is None:
        return []
    tables = {name: spec.columns for name, spec in inputs.items() if spec is not None}
    if len(tables) < len(inputs) or not all(_typed(columns) for columns in tables.values()):
        return []
    params = {param.name: _SQL_TYPES[param.type] for param in subject.pipeline.params}
    told = subject.bind(query, tables, params)
    if isinstance(told, str):
        hint = f"look at the query{f' in {call.file}' if call.file else ''} and at what its inputs promise"
        return [Diagnostic("sql-error", f"step `{step.id}`: {told}", hint, step.place)]
    return _compare(step, target, told)


def _typed(columns: tuple[Column, ...]) -> bool:
    return bool(columns) and all(column.type for column in columns)


def _compare(step: Step, target: DatasetSpec, given: tuple[Column, ...]) -> list[Diagnostic]:
    have = {column.name: column.type for column in given}
    found: list[Diagnostic] = []
    for column in target.columns:
        if column.name not in have:
            message = f"step `{step.id}`: its query does not give `{column.name}`, which `{target.name}` promises"
            found.append(Diagnostic("missing-column", message, closest(column.name, have), step.place))
        elif column.type and have[column.name] and have[column.name] != column.type:
            message = (
                f"step `{step.id}`: its query gives `{column.name}` as {have[column.name]}, "
                f"and `{target.name}` promises {column.type}"
            )
            found.append(Diagnostic("wrong-type", message, f"cast it, or promise {have[column.name]}", step.place))
    return found


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
