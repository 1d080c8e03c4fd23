"""First-party modules of a snapshot, taken apart into what they define at the top level."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

OURS = "anabranch"


class Tree(Protocol):
    """A snapshot of a project's files; names are relative to its root, with `/`."""

    def read(self, name: str) -> bytes | None:
        """Return a file's content; None when it is not there."""
        ...

    def names(self) -> Collection[str]:
        """Return all files, sorted."""
        ...


@dataclass(frozen=True, slots=True)
class Import:
    """A name that an import binds: to a module, or with `attribute` to something in it."""

    module: str
    attribute: str = ""


@dataclass
class Module:
    """What a module defines.

    Attributes:
        name: dotted.
        file: where it is written.
        definitions: for each name the statements that bind it.
        imports: names that imports bind.
        stars: modules of which everything is imported.
        effects: statements that run when it is imported, and bind nothing.
        docs: whether it reads docstrings.
    """

    name: str
    file: str
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, Import] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    effects: list[ast.stmt] = field(default_factory=list)
    docs: bool = False

    @property
    def package(self) -> str:
        """The package that relative imports start from."""
        return self.name if self.file.endswith("/__init__.py") else self.name.rpartition(".")[0]


class Modules:
    """The first-party modules of a snapshot, parsed when they are asked for."""

    def __init__(self, tree: Tree) -> None:
        """Use a snapshot."""
        self._tree = tree
        self._known: dict[str, Module | None] = {}
        self._names = frozenset(tree.names())
        self.broken: dict[str, str] = {}
        """Modules that cannot be parsed, and why."""

    def file_of(self, name: str) -> str:
        """Return the file of a module; empty when it is none of the project's."""
        path = name.replace(".", "/")
        for file in (f"{path}.py", f"{path}/__init__.py"):
            if file in self._names:
                return file
        return ""

    def is_ours(self, name: str) -> bool:
        """Tell whether a module or package is of the project."""
        path = name.replace(".", "/") + "/"
        return bool(self.file_of(name)) or any(each.startswith(path) for each in self._names)

    def find(self, name: str) -> Module | None:
        """Return a module; None when it is none of the project's, or cannot be parsed (see `broken`)."""
        if name not in self._known:
            self._known[name] = self._load(name)
        return self._known[name]

    def _load(self, name: str) -> Module | None:
        file = self.file_of(name)
        body = self._tree.read(file) if file else None
        if body is None:
            return None
        try:
            parsed = ast.parse(body)
        except (SyntaxError, ValueError, RecursionError) as error:
            self.broken[name] = f"{file} cannot be parsed: {error}"
            return None
        module = Module(name, file, docs=b"__doc__" in body)
        for statement in parsed.body:
            self._sort(module, statement)
        return module

    def _sort(self, module: Module, statement: ast.stmt) -> None:  # noqa: C901, PLR0912 - a case for each statement
        match statement:
            case ast.Import():
                for alias in statement.names:
                    bound = alias.asname or alias.name.partition(".")[0]
                    module.imports[bound] = Import(alias.name if alias.asname else bound)
                    if not alias.asname and "." in alias.name:
                        module.definitions.setdefault(bound, []).append(statement)
            case ast.ImportFrom():
                source = absolute(module, statement)
                for alias in statement.names:
                    if alias.name == "*":
                        module.stars.append(source)
                    else:
                        module.imports[alias.asname or alias.name] = Import(source, alias.name)
            case ast.If(test=test) if _is_typing(test):
                for otherwise in statement.orelse:
                    self._sort(module, otherwise)
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case _:
                bound_names = sorted(set(bound_in(statement)))
                for name in bound_names:
                    module.definitions.setdefault(name, []).append(statement)
                for inner in ast.walk(statement):
                    if isinstance(inner, ast.Import | ast.ImportFrom) and not isinstance(
                        statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
                    ):
                        self._sort(module, inner)
                if not bound_names:
                    module.effects.append(statement)


def absolute(module: Module, statement: ast.ImportFrom) -> str:
    """Return the module that a `from ... import` names."""
    if not statement.level:
        return statement.module or ""
    parts = module.package.split(".")
    kept = parts[: len(parts) - statement.level + 1]
    return ".".join([*kept, *([statement.module] if statement.module else [])])


def bound_in(statement: ast.AST) -> Iterator[str]:
    """Yield the names that a statement binds where it stands; not those within functions and classes."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
            return
        case ast.Name(id=name, ctx=ast.Store()):
            yield name
        case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            return
        case ast.ExceptHandler(name=str() as name):
            yield name
        case _:
            pass
    for child in ast.iter_child_nodes(statement):
        yield from bound_in(child)


def _is_typing(test: ast.expr) -> bool:
    match test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
        case _:
            return False
