"""Calls: what a step runs. A closed union, so that every reader and compiler must say what it does with each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class PythonCall:
    """A Python function, `module:qualname`, importable from the project's root."""

    entry: str


@dataclass(frozen=True, slots=True)
class SqlCall:
    """One `SELECT` over the step's input ports, written to its only output: either `query` or `file`."""

    query: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class ShellCall:
    """Any executable. With `shell`, `argv` is one command line for `/bin/sh -c`, because the user wrote a string."""

    argv: tuple[str, ...]
    shell: bool = False


@dataclass(frozen=True, slots=True)
class SparkCall:
    """A Spark application, started by spark-submit. `master` is `local[*]` or a master's URL."""

    main: str
    args: tuple[str, ...] = ()
    master: str = "local[*]"
    conf: tuple[tuple[str, str], ...] = ()
    main_class: str = ""
    py_files: tuple[str, ...] = ()
    jars: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DbtCall:
    """A dbt project and a selector. `models` are the selected models' names, shown as steps within this step."""

    project: str
    select: str = ""
    profiles: str = ""
    target: str = ""
    vars: tuple[tuple[str, str], ...] = ()
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerCall:
    """A container image; runs on platforms that run containers, not on a laptop without an engine."""

    image: str
    argv: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NativeCall:
    """A job that exists on a platform already, such as a Glue job; `arguments` are handed to it."""

    platform: str
    job: str
    arguments: tuple[tuple[str, str], ...] = ()


Call: TypeAlias = PythonCall | SqlCall | ShellCall | SparkCall | DbtCall | ContainerCall | NativeCall
"""A closed union: end each `match` on it with `assert_never`."""

KINDS: dict[type[Call], str] = {
    PythonCall: "python",
    SqlCall: "sql",
    ShellCall: "shell",
    SparkCall: "spark",
    DbtCall: "dbt",
    ContainerCall: "container",
    NativeCall: "native",
}
"""The name of each kind, in specs and on screen."""


def kind(call: Call) -> str:
    """Return the call's kind, as specs name it.

    >>> kind(PythonCall("jobs:clean"))
    'python'
    """
    return KINDS[type(call)]
