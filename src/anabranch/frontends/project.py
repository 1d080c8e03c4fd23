"""`anabranch.yaml`: what belongs to a project."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from anabranch.frontends.environments import lower_environments
from anabranch.frontends.export import lower_export
from anabranch.frontends.registry import lower_datasets, read_registry
from anabranch.frontends.shape import ProjectShape
from anabranch.frontends.validate import validate
from anabranch.frontends.yamlfile import read_document
from anabranch.model.errors import Diagnostic, InvalidProject, NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.environment import Environment
    from anabranch.model.export import ExportTarget
    from anabranch.model.place import Place

FILE = "anabranch.yaml"
URLS = ("s3://", "gs://", "az://")
"""Object stores that may hold datasets."""


@dataclass(frozen=True)
class ProjectFile:
    """What `anabranch.yaml` says. `sources` are `module:attribute` or globs of specs, each with its place.

    `storage` and `branch_storage` are absolute paths or URLs.
    """

    name: str
    root: Path
    sources: tuple[tuple[str, Place], ...]
    storage: str
    datasets: tuple[DatasetSpec, ...] = ()
    environments: dict[str, Environment] = field(default_factory=dict)
    branch_storage: str = ""
    exports: tuple[ExportTarget, ...] = ()


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
    storage = _storage(root, shape.storage, document.place("storage"), problems)
    beside = _storage(root, shape.branch_storage, document.place("branch_storage"), problems)
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
    environments, wrong = lower_environments(shape.environments, document, root, storage)
    exports, amiss = lower_export(shape.export, document, root)
    problems += [*wrong, *amiss]
    if problems:
        raise InvalidProject(problems)
    sources = tuple((each, document.place("pipelines", i)) for i, each in enumerate(shape.pipelines))
    return ProjectFile(shape.project, root, sources, storage, tuple(datasets), environments, beside, exports)


def _storage(root: Path, given: str, place: Place, problems: list[Diagnostic]) -> str:
    """Return a storage root as an absolute path or a URL; empty stays empty."""
    if not given or given.startswith(URLS):
        return given.rstrip("/")
    if "://" in given:
        hint = f"a folder, or a URL of {', '.join(URLS)}"
        problems.append(Diagnostic("bad-storage", f"the storage `{given}` is of no known kind", hint, place))
        return given
    path = (root / given).resolve()
    if path == root or root.is_relative_to(path):
        message = f"the storage `{given}` holds the project itself"
        problems.append(Diagnostic("bad-storage", message, "name a folder in it, such as data", place))
    return str(path)
