"""Runs one SELECT as a step, on DuckDB."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from anabranch.model.errors import StepError, closest
from anabranch.model.place import Place
from anabranch.ports import Result

if TYPE_CHECKING:
    from collections.abc import Generator

    import duckdb

    from anabranch.model.call import SqlCall
    from anabranch.model.task import Task
    from anabranch.ports import Staging

_LINE = re.compile(r"^LINE (\d+): *(.*)$", re.MULTILINE)
_WRITES = re.compile("COPY_TO|INSERT|UPDATE|DELETE|MERGE|CREATE|EXPORT")
_EXPLAIN = "EXPLAIN (FORMAT json) "
_SHOWN = 2
_ONE_SELECT = "write one SELECT (WITH, FROM and VALUES are fine); other statements belong in a step of another kind"


class SqlEngine:
    """The `Engine` of `SqlCall`.

    A query may read what DuckDB can read, but only ports are part of the pipeline: data read by `read_parquet('...')`
    is not seen by `check`, by lineage or by a branch.
    """

    def run(self, call: SqlCall, task: Task, staging: Staging) -> Result:
        """Run the query over views named as the ports; params are `$name`. Its rows go to the only output.

        Raises:
            StepError: `sql-error`, with DuckDB's message and the line; `not-a-select`, `unknown-param`, `missing-file`.
        """
        import duckdb

        db = cast("duckdb.DuckDBPyConnection", staging.connection())
        query, place = _text(call, task)
        try:
            staging.save(_output(task), _relation(db, query, task, place))
        except duckdb.Error as error:
            raise _told(error, query, place) from None
        except StepError as error:
            # The query runs while its rows are saved: what breaks then is the query's, not the output's.
            if error.code == "unstorable-type" and isinstance(error.__cause__, duckdb.Error):
                raise _told(error.__cause__, query, place) from None
            raise
        return Result()


def _text(call: SqlCall, task: Task) -> tuple[str, Place | None]:
    if not call.file:
        return call.query, task.step.place
    try:
        return (Path(task.root) / call.file).read_text(encoding="utf-8"), Place(call.file, 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        message = f"the query {call.file} cannot be read: {why}"
        raise StepError(message, code="missing-file", hint="correct its name", place=task.step.place) from None


def _output(task: Task) -> str:
    names = [port.name for port in task.step.outputs]
    if len(names) == 1:
        return names[0]
    message = f"step `{task.step.id}`: a query gives one table, and the step writes {', '.join(names) or 'nothing'}"
    raise StepError(message, code="wrong-outputs", hint="name one dataset in `writes`", place=task.step.place)


def _relation(db: duckdb.DuckDBPyConnection, query: str, task: Task, place: Place | None) -> duckdb.DuckDBPyRelation:
    from duckdb import StatementType

    statements = db.extract_statements(query)
    if len(statements) != 1 or statements[0].type != StatementType.SELECT:
        kind = statements[0].type.name if len(statements) == 1 else f"{len(statements)} statements"
        message = f"step `{task.step.id}`: a query is one SELECT, and this is {kind}"
        raise StepError(message, code="not-a-select", hint=_ONE_SELECT, place=place)
    params = _params(task, statements[0].named_parameters, place)
    # DuckDB takes COPY, INSERT and their like as parts of a WITH: only the plan tells.
    plan = db.execute(_EXPLAIN + query, params or None).fetchall()[0][1]
    if written := next(filter(_WRITES.search, _operators(json.loads(plan))), ""):
        message = f"step `{task.step.id}`: the query also writes ({written.strip()}), where it should only give rows"
        raise StepError(message, code="not-a-select", hint=_ONE_SELECT, place=place)
    relation = db.sql(query.strip().rstrip(";"), params=params or None)
    lower = [name.lower() for name in relation.columns]
    twice = sorted({name for name, low in zip(relation.columns, lower, strict=True) if lower.count(low) > 1})
    if twice:
        message = (
            f"step `{task.step.id}`: the query gives two columns called {', '.join(f'`{name}`' for name in twice)}"
        )
        raise StepError(message, code="sql-error", hint="rename one with AS", place=place)
    return relation


def _operators(plan: list[dict[str, Any]]) -> Generator[str]:
    for node in plan:
        yield node["name"]
        yield from _operators(node["children"])


def _params(task: Task, used: set[str], place: Place | None) -> dict[str, Any]:
    """Return the params that the query names, typed. Their case does not matter, as it does not to DuckDB."""
    declared = {param.name.lower(): param for param in task.declared}
    given = {name.lower(): text for name, text in task.params}
    found: dict[str, Any] = {}
    for name in sorted(used):
        if name.isdigit():
            message, hint = f"step `{task.step.id}`: params have names", "write $name instead of ?"
            raise StepError(message, code="unknown-param", hint=hint, place=place)
        if name.lower() not in given or name.lower() not in declared:
            message = f"step `{task.step.id}`: the query names ${name}, which is no param of the pipeline"
            hint = closest(name, (param.name for param in task.declared))
            raise StepError(message, code="unknown-param", hint=hint, place=place)
        found[name] = declared[name.lower()].parse(given[name.lower()])
    return found


def _told(error: duckdb.Error, query: str, place: Place | None) -> StepError:
    """Return DuckDB's error with the line of the query that it speaks of."""
    text, _, rest = str(error).partition("\n\n")
    message = "; ".join(line.strip() for line in text.splitlines()[:_SHOWN] if line.strip() and not line.endswith(":"))
    if number := _line(query, rest):
        message += f" (line {number} of the query: {query.splitlines()[number - 1].strip()})"
        if place is not None and place.file.endswith(".sql"):
            place = Place(place.file, number)
    hint = "run it in DuckDB on the inputs: `anabranch datasets show` says where they lie"
    return StepError(message, code="sql-error", hint=hint, place=place)


def _line(query: str, told: str) -> int:
    """Return the line of the query that DuckDB quotes, or 0.

    Its own number may be off by what was put around the query.
    """
    if not (match := _LINE.search(told)):
        return 0
    quoted = match[2].removeprefix(_EXPLAIN).strip(". ")
    found = [number for number, line in enumerate(query.splitlines(), 1) if quoted and quoted in line]
    return min(found, key=lambda number: abs(number - int(match[1])), default=0)
