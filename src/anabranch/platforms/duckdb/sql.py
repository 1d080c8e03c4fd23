"""Runs one SELECT as a step, on DuckDB."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from anabranch.model.errors import StepError
from anabranch.model.pipeline import ParamType
from anabranch.model.place import Place
from anabranch.ports import Result

if TYPE_CHECKING:
    import duckdb

    from anabranch.model.call import SqlCall
    from anabranch.model.task import Task
    from anabranch.ports import Staging

_PARSERS: dict[ParamType, Any] = {
    ParamType.STRING: str,
    ParamType.INT: int,
    ParamType.FLOAT: float,
    ParamType.BOOL: lambda text: text == "true",
    ParamType.DATE: date.fromisoformat,
    ParamType.DATETIME: datetime.fromisoformat,
}


class SqlEngine:
    """The `Engine` of `SqlCall`."""

    def run(self, call: SqlCall, task: Task, staging: Staging) -> Result:
        """Run the query over views named as the ports; params are `$name`. Its rows go to the only output.

        Raises:
            StepError: `sql-error`, with DuckDB's message; `missing-file`.
        """
        import duckdb

        db = cast("duckdb.DuckDBPyConnection", staging.connection())
        query, place = _text(call, task)
        try:
            statements = db.extract_statements(query)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                message = f"step `{task.step.id}`: a query is one SELECT, and this is something else"
                raise StepError(message, code="sql-error", hint="use a shell step for other statements", place=place)
            relation = db.sql(query.strip().rstrip(";"), params=_params(task, statements[0].named_parameters) or None)
            staging.save(task.step.outputs[0].name, relation)
        except duckdb.Error as error:
            message = str(error).partition("\n\n")[0]
            hint = "run it in DuckDB on the inputs: `anabranch datasets show` says where they lie"
            raise StepError(message, code="sql-error", hint=hint, place=place) from None
        return Result()


def _text(call: SqlCall, task: Task) -> tuple[str, Place | None]:
    if not call.file:
        return call.query, task.step.place
    try:
        return (Path(task.root) / call.file).read_text(encoding="utf-8"), Place(call.file, 1)
    except OSError as error:
        message = f"the query {call.file} cannot be read: {error.strerror}"
        raise StepError(message, code="missing-file", hint="correct its name", place=task.step.place) from None


def _params(task: Task, used: Any) -> dict[str, Any]:
    declared = {param.name: param for param in task.declared}
    given = dict(task.params)
    return {name: _PARSERS[declared[name].type](given[name]) for name in used if name in declared and name in given}
