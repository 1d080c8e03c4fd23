"""What a step runs, from its spec."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from anabranch.frontends.shape import SqlShape
from anabranch.frontends.shorthand import param_text
from anabranch.model.call import (
    Call,
    ContainerCall,
    DbtCall,
    NativeCall,
    PythonCall,
    ShellCall,
    SparkCall,
    SqlCall,
)
from anabranch.model.errors import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from anabranch.frontends.shape import Scalar, StepShape
    from anabranch.model.place import Place

KINDS = ("python", "sql", "shell", "spark", "dbt", "container", "native")
_ENTRY = re.compile(r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")


def lower_call(given: StepShape, step: str, place: Place) -> tuple[Call | None, tuple[Diagnostic, ...]]:
    """Return the one call that a step names, or what is wrong with it."""
    named = [kind for kind in KINDS if getattr(given, kind) is not None]
    if len(named) != 1:
        message = f"step `{step}` names {' and '.join(named) or 'nothing to run'}"
        hint = f"give it exactly one of {', '.join(KINDS)}"
        return None, (Diagnostic("which-call", message, hint, place),)
    if given.python is not None:
        if not _ENTRY.match(given.python):
            message = f"step `{step}`: `{given.python}` is not module:function"
            return None, (Diagnostic("bad-entry", message, "for example jobs.clean:clean", place),)
        return PythonCall(given.python), ()
    return _process(given), ()


def _process(given: StepShape) -> Call | None:
    if given.sql is not None:
        return SqlCall(file=given.sql.file) if isinstance(given.sql, SqlShape) else SqlCall(given.sql)
    if given.shell is not None:
        if isinstance(given.shell, str):
            return ShellCall((given.shell,), shell=True)  # noqa: S604 - the user wrote a string
        return ShellCall(_texts(given.shell))
    if (spark := given.spark) is not None:
        files = (tuple(spark.py_files), tuple(spark.jars))
        return SparkCall(spark.main, _texts(spark.args), spark.master, _pairs(spark.conf), spark.main_class, *files)
    if (dbt := given.dbt) is not None:
        return DbtCall(dbt.project, dbt.select, dbt.profiles, dbt.target, _pairs(dbt.vars))
    if (container := given.container) is not None:
        return ContainerCall(container.image, _texts(container.args))
    if (native := given.native) is not None:
        return NativeCall(native.platform, native.job, _pairs(native.arguments))
    return None


def with_models(call: DbtCall, root: Path) -> DbtCall:
    """Return the call with the names of its models, found by looking at the dbt project's files.

    A selector that is only names chooses these; any other (graph operators, tags, paths) is left to dbt, and all of the
    project's models are shown.
    """
    from dataclasses import replace

    folder = root / call.project / "models"
    models = {path.stem for suffix in ("*.sql", "*.py") for path in folder.rglob(suffix)}
    chosen = set(call.select.split())
    return replace(call, models=tuple(sorted(models & chosen if chosen and chosen <= models else models)))


def _texts(given: Iterable[Scalar]) -> tuple[str, ...]:
    return tuple(map(param_text, given))


def _pairs(given: Mapping[str, Scalar]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((key, param_text(value)) for key, value in given.items()))
