"""A whole project: its file, its pipelines by both front ends, and the registry that they share."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from anabranch.frontends.calls import with_models as models_of
from anabranch.frontends.lock import read_locks, with_locks
from anabranch.frontends.project import ProjectFile, find_root, read_project
from anabranch.frontends.python import PythonFrontend
from anabranch.frontends.spec import SpecFrontend, read_tests
from anabranch.model.call import DbtCall
from anabranch.model.errors import Diagnostic, InvalidProject

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.pipeline import Pipeline

_ENTRY = re.compile(r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")


def load_project(path: Path) -> tuple[ProjectFile, dict[str, Pipeline], dict[str, DatasetSpec]]:
    """Read the project at or above a path.

    Returns:
        Its file, its pipelines by name, and all datasets by name: of the registry and of the pipelines.

    Raises:
        NotFoundError: `no-project`.
        InvalidProject: with everything that is wrong in any file.
    """
    file = read_project(find_root(path))
    problems: list[Diagnostic] = []
    found: list[Pipeline] = []
    for source, place in file.sources:
        try:
            if _ENTRY.match(source):
                for each in PythonFrontend().read(file.root, source, place):
                    tests = PythonFrontend.tests_file(file.root, source, each.name)
                    found.append(replace(each, tests=read_tests(file.root, tests)) if tests else each)
            else:
                found += SpecFrontend().read(file.root, source, place)
        except InvalidProject as error:
            problems += error.diagnostics
    pipelines: dict[str, Pipeline] = {}
    for pipeline in found:
        if pipeline.name in pipelines:
            message = f"two pipelines are named `{pipeline.name}`; the other is at {pipelines[pipeline.name].place}"
            problems.append(Diagnostic("duplicate-pipeline", message, "rename one of them", pipeline.place))
        pipelines[pipeline.name] = pipeline
    datasets, differing = _registry(file.datasets, pipelines.values())
    problems += differing
    if problems:
        raise InvalidProject(list(dict.fromkeys(problems)))
    locks = read_locks(file.root)
    whole = {
        name: with_locks(with_models(with_registry(each, datasets), file.root), locks)
        for name, each in pipelines.items()
    }
    return file, whole, datasets


def _registry(
    listed: Iterable[DatasetSpec], pipelines: Iterable[Pipeline]
) -> tuple[dict[str, DatasetSpec], list[Diagnostic]]:
    """Return all datasets by name; one name means one dataset in the whole project."""
    known: dict[str, DatasetSpec] = {}
    problems: list[Diagnostic] = []
    for spec in (*listed, *(spec for pipeline in pipelines for spec in pipeline.datasets)):
        first = known.setdefault(spec.name, spec)
        if first is not spec and first != spec:
            message = f"two datasets are named `{spec.name}` and differ; the other is at {first.place}"
            problems.append(Diagnostic("duplicate-dataset", message, "define it once", spec.place))
    return known, problems


def with_registry(pipeline: Pipeline, datasets: dict[str, DatasetSpec]) -> Pipeline:
    """Return the pipeline with exactly the datasets that its steps name; unknown ones are left for `check` to tell."""
    names = {port.dataset for step in pipeline.steps for port in step.reads}
    names |= {port.dataset for step in pipeline.steps for port in step.outputs}
    return replace(pipeline, datasets=tuple(datasets[name] for name in sorted(names) if name in datasets))


def with_models(pipeline: Pipeline, root: Path) -> Pipeline:
    """Return the pipeline with the models of its dbt steps, which a Python front end does not look up."""
    steps = tuple(
        replace(step, call=models_of(step.call, root)) if isinstance(step.call, DbtCall) else step
        for step in pipeline.steps
    )
    return replace(pipeline, steps=steps)
