"""First-party modules of a snapshot, taken apart into what they define at the top level."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from anabranch.code.canonical import clean, is_ours, is_text, is_typing
from anabranch.code.scopes import Import, absolute, bindings, bound_in, loaded

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from anabranch.code.scopes import Reference

_BUILTINS = frozenset(dir(builtins))
_DEEPEST = 20
"""Re-exports that are followed before one is taken for a cycle."""


class Tree(Protocol):
    """A snapshot of a project's files; names are relative to its root, with `/`."""

    def read(self, name: str) -> bytes | None:
        """Return a file's content; None when it is not there."""
        ...

    def names(self) -> Collection[str]:
        """Return all files, sorted."""
        ...


@dataclass(slots=True)
class Module:
    """What a module defines, cleaned of what does not count.

    Attributes:
        name: dotted.
        file: where it is written.
        body: all statements, but imports and docstrings.
        definitions: for each name the statements that bind it.
        imports: names that imports bind.
        stars: modules of which everything is imported.
        loads: modules that are imported with it, in order.
        effects: statements that do more than binding names when it is imported.
    """

    name: str
    file: str
    body: list[ast.stmt] = field(default_factory=list)
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, Import] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    effects: list[ast.stmt] = field(default_factory=list)

    @property
    def package(self) -> str:
        """The package that relative imports start from."""
        is_package = self.file.rpartition("/")[2] == "__init__.py"
        return self.name if is_package else self.name.rpartition(".")[0]


class Modules:
    """The first-party modules of a snapshot, parsed when they are asked for."""

    def __init__(self, tree: Tree, folders: Sequence[str] = ("",)) -> None:
        """Use a snapshot.

        Args:
            tree: its files.
            folders: where modules are looked for, in order; empty or with a `/` at the end.
        """
        self._tree, self._folders = tree, folders
        self._known: dict[str, Module | None] = {}
        self._names = frozenset(tree.names())
        self._packages = frozenset(
            name[:end]
            for name in self._names
            if name.endswith(".py")
            for end, letter in enumerate(name)
            if letter == "/"
        )
        self.broken: dict[str, str] = {}
        """Modules that cannot be parsed, and why."""

    def file_of(self, name: str) -> str:
        """Return the file of a module; empty when it is none of the project's."""
        path = name.replace(".", "/")
        for folder in self._folders:
            for file in (f"{folder}{path}/__init__.py", f"{folder}{path}.py"):
                if file in self._names:
                    return file
        return ""

    def is_ours(self, name: str) -> bool:
        """Tell whether a module or package is of the project."""
        path = name.replace(".", "/")
        return bool(name) and (
            any(f"{folder}{path}" in self._packages for folder in self._folders) or bool(self.file_of(name))
        )

    def find(self, name: str) -> Module | None:
        """Return a module; None when it is none of the project's, or cannot be parsed (see `broken`)."""
        if name not in self._known:
            self._known[name] = self._load(name)
        return self._known[name]

    def provides(self, name: str, symbol: str) -> bool:
        """Tell whether a module has a symbol, its own or imported."""
        return self._provides(name, symbol, set())

    def _provides(self, name: str, symbol: str, seen: set[str]) -> bool:
        module = None if name in seen else self.find(name)
        if module is None:
            return False
        seen.add(name)
        if symbol in module.definitions or symbol in module.imports:
            return True
        return any(self._provides(star, symbol, seen) for star in module.stars)

    def meaning(self, module: Module, reference: Reference) -> str:
        """Return what a use names outside of the project, with all imports resolved; empty for what is the project's.

        A name that is nowhere bound is a built-in one.
        """
        name, rest = reference.chain[0], reference.chain[1:]
        bound = reference.bound or module.imports.get(name)
        if bound is None:
            others = [star for star in module.stars if not self.is_ours(star)]
            if name in module.definitions or any(self.provides(star, name) for star in module.stars):
                return ""
            return ".".join([*([others[0]] if others and name not in _BUILTINS else []), *reference.chain])
        for _ in range(_DEEPEST):
            if not self.is_ours(bound.module):
                return ".".join([bound.dotted, *rest])
            owner, chain = bound.module, [*([bound.attribute] if bound.attribute else []), *rest]
            while chain and self.is_ours(f"{owner}.{chain[0]}"):
                owner = f"{owner}.{chain.pop(0)}"
            found = self.find(owner)
            if found is None or not chain or chain[0] in found.definitions or chain[0] not in found.imports:
                return ""
            bound, rest = found.imports[chain[0]], tuple(chain[1:])
        return ""

    def _load(self, name: str) -> Module | None:
        file = self.file_of(name)
        body = self._tree.read(file) if file else None
        if body is None:
            return None
        module = Module(name, file)
        try:
            parsed = [each for each in ast.parse(body).body if not is_text(each)]
            for statement in parsed:
                _note_imports(module, statement)
            docs = b"__doc__" in body
            for statement in parsed:
                _sort(module, clean(statement, module.imports, docs=docs))
        except (SyntaxError, ValueError) as error:
            self.broken[name] = f"{file} cannot be parsed: {error}"
        except (RecursionError, MemoryError):
            self.broken[name] = f"{file} is nested too deeply to be followed"
        return None if name in self.broken else module


def _note_imports(module: Module, statement: ast.stmt) -> None:
    for each in _imports_in(statement):
        module.imports.update(bindings(each, module.package))
        module.loads += loaded(each, module.package)
        if isinstance(each, ast.ImportFrom) and each.names[0].name == "*":
            module.stars.append(absolute(each, module.package))


def _imports_in(statement: ast.stmt) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the imports that run when the statement runs, but for those that are for type checkers only."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        yield statement
    elif not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        for inner in _within(statement):
            yield from _imports_in(inner)


def _within(statement: ast.stmt) -> list[ast.stmt]:
    """Return the statements directly within a compound one."""
    if isinstance(statement, ast.If) and is_typing(statement.test):
        return statement.orelse
    found: list[ast.stmt] = []
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.stmt):
            found.append(child)
        elif isinstance(child, ast.ExceptHandler | ast.match_case):
            found += child.body
    return found


def _sort(module: Module, cleaned: ast.stmt | list[ast.stmt]) -> None:
    """File a statement under the names that it binds, and as an effect when it does more."""
    for statement in cleaned if isinstance(cleaned, list) else [cleaned]:
        if isinstance(statement, ast.Import | ast.ImportFrom | ast.Pass):
            continue
        module.body.append(statement)
        script = isinstance(statement, ast.If) and is_main(statement.test)
        for name in sorted(set() if script else set(bound_in(statement))):
            known = module.definitions.setdefault(name, [])
            if not (known and isinstance(statement, ast.Assign) and is_ours(statement.value, module.imports)):
                known.append(statement)
        if _acts(module, statement):
            module.effects.append(statement)


def _acts(module: Module, statement: ast.stmt) -> bool:
    """Tell whether a statement does more on import than to bind names, or to define what the model has."""
    match statement:
        case ast.Expr(value=value):
            return not isinstance(value, ast.Constant) and not is_ours(value, module.imports)
        case ast.Assign(targets=targets):
            return any(isinstance(each, ast.Attribute | ast.Subscript) for each in targets)
        case ast.AnnAssign(target=target):
            return not isinstance(target, ast.Name)
        case ast.AugAssign() | ast.Delete() | ast.Assert() | ast.Raise() | ast.With():
            return True
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return False
        case ast.If(test=test) if is_main(test):
            return any(_acts(module, each) for each in statement.orelse)
        case _:
            return any(_acts(module, each) for each in _within(statement))


def is_main(test: ast.expr) -> bool:
    """Tell whether a condition holds only where the file is run as a script."""
    match test:
        case ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant(value="__main__")]):
            return True
        case _:
            return False
