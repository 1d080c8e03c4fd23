"""What Glue must know of a Spark step before it starts Spark: settings, files, and packages for the workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.model.call import SparkCall

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anabranch.model.pipeline import Step

_WORKER = {
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "os_name": "posix",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}
"""What a worker is, as the markers of requirements ask."""


def spark_arguments(step: Step, runtime: str) -> dict[str, str]:
    """Return the arguments of a job; none for a step that is no Spark application.

    Args:
        step: with its requirements locked.
        runtime: the Python of the workers, such as `python3.11`.

    Source: https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-glue-arguments.html
    """
    call = step.call
    if not isinstance(call, SparkCall):
        return {}
    told = {
        "--conf": " --conf ".join(f"{name}={value}" for name, value in call.conf),
        "--extra-py-files": ",".join(call.py_files),
        "--extra-jars": ",".join(call.jars),
        "--additional-python-modules": ",".join(pinned(step.needs.requirements, runtime.removeprefix("python"))),
    }
    return {name: value for name, value in told.items() if value}


def pinned(requirements: Iterable[str], python: str) -> list[str]:
    """Return those requirements that hold on a worker, without the conditions on which they do.

    >>> pinned(["numpy==2.4.6 ; python_version < '3.12'", "tzdata==2026.6 ; sys_platform == 'win32'"], "3.11")
    ['numpy==2.4.6']
    """
    from packaging.requirements import Requirement

    worker = {**_WORKER, "python_version": python, "python_full_version": f"{python}.0"}
    found = [Requirement(each) for each in requirements]
    held = [each for each in found if each.marker is None or each.marker.evaluate(worker)]
    return [f"{each.name}{_extras(each.extras)}{each.specifier}" for each in held]


def _extras(names: Iterable[str]) -> str:
    told = ",".join(sorted(names))
    return f"[{told}]" if told else ""
