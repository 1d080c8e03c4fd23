"""`anabranch.yaml`: what belongs to a project."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from anabranch.frontends.registry import lower_datasets, read_registry
from anabranch.frontends.shape import ProjectShape
from anabranch.frontends.validate import validate
from anabranch.frontends.yamlfile import read_document
from anabranch.model.errors import Diagnostic, InvalidProject, NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.place import Place

FILE = "anabranch.yaml"


@dataclass(frozen=True)
class ProjectFile:
    """What `anabranch.yaml` says. `sources` are `module:attribute` or globs of specs, each with its place."""

    name: str
    root: Path
    sources: tuple[tuple[str, Place], ...]
    storage: Path
    datasets: tuple[DatasetSpec, ...] = ()
    environments: dict[str, Any] = field(default_factory=dict)
    branch_storage: Path | None = None


def find_root(path: Path) -> Path:
    """Return the folder with `anabranch.yaml`, at a path or above it.

    Raises:
        NotFoundError: `no-project`.
    """
    start = path.resolve()
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder
    message = f"there is no {FILE} in {start} or above"
    raise NotFoundError(message, code="no-project", hint="anabranch init, or -C DIR")


def read_project(root: Path) -> ProjectFile:
    """Read a project's file and the registries that it names.

    Raises:
        InvalidProject: with everything that is wrong in them.
    """
    document = read_document(root / FILE, FILE)
    shape = validate(ProjectShape, document)
    problems: list[Diagnostic] = []
    storage = (root / shape.storage).resolve()
    if storage == root or root.is_relative_to(storage):
        message = f"the storage `{shape.storage}` holds the project itself"
        problems.append(
            Diagnostic("bad-storage", message, "name a folder in it, such as data", document.place("storage"))
        )
    beside = (root / shape.branch_storage).resolve() if shape.branch_storage else None
    if beside is not None and (beside == root or root.is_relative_to(beside)):
        message = f"the branch storage `{shape.branch_storage}` holds the project itself"
        hint = "name a folder in it, or none"
        problems.append(Diagnostic("bad-storage", message, hint, document.place("branch_storage")))
    datasets: list[DatasetSpec] = []
    if isinstance(shape.datasets, dict):
        datasets += lower_datasets(document, shape.datasets)
    else:
        for i, pattern in enumerate(shape.datasets):
            files = sorted(path for path in root.glob(pattern) if path.is_file())
            if not files:
                message = f"no file is named `{pattern}`"
                hint = "list datasets in a CSV or YAML file"
                problems.append(Diagnostic("missing-file", message, hint, document.place("datasets", i)))
            for file in files:
                try:
                    datasets += read_registry(root, file.relative_to(root).as_posix())
                except InvalidProject as error:
                    problems += error.diagnostics
    if problems:
        raise InvalidProject(problems)
    sources = tuple((each, document.place("pipelines", i)) for i, each in enumerate(shape.pipelines))
    return ProjectFile(shape.project, root, sources, storage, tuple(datasets), shape.environments, beside)
