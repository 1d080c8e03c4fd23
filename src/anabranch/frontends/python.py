"""Pipelines written in Python: `module:attribute` to the model."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from anabranch.frontends.pipelines import PipelineDef
from anabranch.model.errors import Diagnostic, InvalidProject, closest
from anabranch.model.place import Place
from anabranch.model.traces import relative, user_place, user_trace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anabranch.model.pipeline import Pipeline

T = TypeVar("T")


class PythonFrontend:
    """Reads `module:attribute`, where the attribute is what `pipeline(...)` made, or a list of these."""

    def read(self, root: Path, source: str, place: Place | None = None) -> Sequence[Pipeline]:
        """Import the module from the project's root and lower its pipelines.

        Args:
            root: the project's root; it comes first on `sys.path`.
            source: `module:attribute`.
            place: where the project names this source.

        Raises:
            InvalidProject: `missing-module`, `import-error`, `missing-attribute`, `not-a-pipeline`, or others.
        """
        module, _, attribute = source.partition(":")
        found = load_attribute(root, module, attribute, place)
        definitions = found if isinstance(found, list | tuple) else [found]
        problems: list[Diagnostic] = []
        pipelines: list[Pipeline] = []
        for each in definitions:
            if not isinstance(each, PipelineDef):
                kind = type(each).__name__
                hint = "name what `pipeline(...)` returned"
                problems.append(Diagnostic("not-a-pipeline", f"`{source}` is a {kind}, not a pipeline", hint, place))
                continue
            try:
                pipelines.append(in_project(each.lower(), root))
            except InvalidProject as error:
                problems += in_project(error.diagnostics, root)
        if problems:
            raise InvalidProject(problems)
        return pipelines

    @staticmethod
    def tests_file(root: Path, source: str, name: str) -> str:
        """Return the file with the tests of a pipeline that `read` returned, or an empty text."""
        module, _, attribute = source.partition(":")
        found = load_attribute(root, module, attribute, None)
        definitions = found if isinstance(found, list | tuple) else [found]
        return next((each.tests for each in definitions if isinstance(each, PipelineDef) and each.name == name), "")


def load_attribute(root: Path, module: str, attribute: str, place: Place | None) -> Any:
    """Import a module of the project and return an attribute of it; dots lead further in.

    Raises:
        InvalidProject: `missing-module`, `import-error` with the user's own frame first, `missing-attribute`.
    """
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    try:
        found: Any = importlib.import_module(module)
    except Exception as error:
        raise InvalidProject([in_project(_import_problem(error, root, module, place), root)]) from error
    for name in attribute.split("."):
        if not hasattr(found, name):
            message = f"module `{module}` has no attribute `{attribute}`"
            hint = closest(name, [each for each in dir(found) if not each.startswith("_")])
            raise InvalidProject([Diagnostic("missing-attribute", message, hint, place)])
        found = getattr(found, name)
    return found


def _import_problem(error: Exception, root: Path, module: str, place: Place | None) -> Diagnostic:
    if isinstance(error, InvalidProject):
        return error.diagnostics[0]
    where = user_place(error, str(root))
    if isinstance(error, ModuleNotFoundError) and error.name and (module + ".").startswith(error.name + "."):
        known = [path.stem for path in root.glob("*.py")] + [p.parent.name for p in root.glob("*/__init__.py")]
        message = f"there is no module `{error.name}` in the project"
        return Diagnostic("missing-module", message, f"{closest(error.name, known)} (looked in {root})", place)
    if isinstance(error, ModuleNotFoundError):
        message = f"importing `{module}` needs `{error.name}`, which is not installed"
        return Diagnostic("import-error", message, f"pip install {error.name}", where or place)
    message = f"importing `{module}` failed: {user_trace(error, str(root))}"
    return Diagnostic("import-error", message, "mend the error in that line", where or place)


def in_project(value: T, root: Path) -> T:
    """Return a model value with every place's file relative to the project's root."""
    return cast("T", _relocate(value, str(root)))


def _relocate(value: Any, root: str) -> Any:
    if isinstance(value, tuple):
        return tuple(_relocate(item, root) for item in value)
    place = getattr(value, "place", None)
    changes: dict[str, Any] = {}
    if isinstance(place, Place):
        changes["place"] = Place(relative(place.file, root), place.line)
    for name in ("steps", "datasets", "params", "inputs", "outputs", "value", "tests"):
        item = getattr(value, name, None)
        if item and not isinstance(item, str):
            changes[name] = _relocate(item, root)
    return replace(value, **changes) if changes else value


__all__ = ["PythonFrontend", "in_project", "load_attribute"]
