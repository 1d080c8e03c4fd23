"""Python steps: the function, and all of the project that it uses, symbol by symbol, through imports."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from anabranch.code.canonical import canonical, digest, is_ours
from anabranch.code.modules import OURS, Modules
from anabranch.code.suspicions import Finding, look

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from anabranch.code.modules import Import, Module, Tree

_STDLIB = sys.stdlib_module_names


@dataclass
class Reached:
    """What a symbol uses, itself included.

    Attributes:
        code: canonical code by `module.name`.
        libraries: top-level modules of others.
        nodes: the statements, with the module that each is in.
        broken: why something cannot be followed.
    """

    code: dict[str, str] = field(default_factory=dict)
    libraries: set[str] = field(default_factory=set)
    nodes: list[tuple[Module, ast.stmt]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


class PythonCode:
    """The Python of one snapshot."""

    def __init__(self, tree: Tree) -> None:
        """Use a snapshot."""
        self.modules = Modules(tree)
        self._reached: dict[tuple[str, str], Reached] = {}
        self._canonical: dict[tuple[str, str], str] = {}
        self._names: dict[str, dict[str, str]] = {}

    def entry(self, entry: str) -> Reached:
        """Return what a function `module:qualname` uses."""
        module, _, name = entry.partition(":")
        return self.reach(module, name.partition(".")[0])

    def file(self, name: str) -> Reached:
        """Return what a file uses that is run as a script: all of its top level."""
        return self.reach(name.removesuffix(".py").replace("/", "."), "")

    def reach(self, module: str, name: str) -> Reached:
        """Return what a symbol uses; without a name, what the whole module does."""
        if (module, name) not in self._reached:
            found = Reached()
            self._walk(found, module, name)
            self._reached[module, name] = found
        return self._reached[module, name]

    def _walk(self, found: Reached, module: str, name: str) -> None:
        stack = [(module, name, True)]
        seen: set[tuple[str, str]] = set()
        while stack:
            owner, symbol, first = stack.pop()
            if (owner, symbol) in seen:
                continue
            seen.add((owner, symbol))
            stack += [(*each, False) for each in self._step(found, owner, symbol, first=first)]

    def _step(  # noqa: C901, PLR0912 - a case for each way in which a name is bound
        self, found: Reached, owner: str, symbol: str, *, first: bool
    ) -> Iterator[tuple[str, str]]:
        module = self.modules.find(owner)
        if module is None:
            if owner in self.modules.broken:
                found.broken.append(self.modules.broken[owner])
            elif first:
                found.broken.append(f"there is no module {owner} in the project")
            return
        yield from ((owner, "<effects>"),) if symbol != "<effects>" else ()
        if symbol == "<effects>":
            statements = [each for each in module.effects if not _only_ours(module, each)]
            yield from self._add(found, module, "import", statements)
        elif not symbol:
            everything = dict.fromkeys(each for group in module.definitions.values() for each in group)
            yield from self._add(found, module, "", [*everything])
        elif symbol in module.definitions:
            yield from self._add(found, module, symbol, module.definitions[symbol])
        elif symbol in module.imports:
            yield from self._imported(found, module.imports[symbol])
        elif sub := self._submodule(module, symbol):
            yield sub, ""
        else:
            for star in module.stars:
                other = self.modules.find(star)
                if other is None:
                    self._library(found, star)
                elif symbol in other.definitions or symbol in other.imports or other.stars:
                    yield star, symbol
            if first and not module.stars:
                found.broken.append(f"{module.file} has no {symbol}")

    def _submodule(self, module: Module, symbol: str) -> str:
        name = f"{module.name}.{symbol}"
        return name if self.modules.file_of(name) else ""

    def _add(
        self, found: Reached, module: Module, symbol: str, statements: list[ast.stmt]
    ) -> Iterator[tuple[str, str]]:
        real = [each for each in statements if not isinstance(each, ast.Import | ast.ImportFrom)]
        key = (module.name, symbol)
        if key not in self._canonical:
            self._canonical[key] = canonical(module, real)
        if real and self._canonical[key]:
            call = "()" if isinstance(real[0], ast.FunctionDef | ast.AsyncFunctionDef) else ""
            found.code[f"{module.name}.{symbol}{call}" if symbol else module.name] = self._canonical[key]
        found.nodes += [(module, each) for each in real]
        for statement in statements:
            yield from self._uses(found, module, statement)

    def _uses(  # noqa: C901 - a case for each kind of node
        self, found: Reached, module: Module, statement: ast.stmt
    ) -> Iterator[tuple[str, str]]:
        local = _local_names(statement)
        chains: set[tuple[str, ...]] = set()
        ours = _our_decorators(module, statement)
        for node in _walk_but(statement, ours):
            if isinstance(node, ast.Attribute):
                if chain := _chain(node):
                    chains.add(chain)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                chains.add((node.id,))
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    yield from self._module_used(found, alias.name)
            elif isinstance(node, ast.ImportFrom):
                from anabranch.code.modules import Import, absolute

                for alias in node.names:
                    yield from self._imported(found, Import(absolute(module, node), alias.name))
        for chain in sorted(chains):
            if chain[0] in local:
                continue
            yield from self._named(found, module, chain)

    def _named(self, found: Reached, module: Module, chain: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        bound = module.imports.get(chain[0])
        if chain[0] in module.definitions or bound is None:
            if chain[0] in module.definitions or module.stars or self._submodule(module, chain[0]):
                yield module.name, chain[0]
            if bound is None:
                return
        if bound.attribute and not self.modules.is_ours(f"{bound.module}.{bound.attribute}"):
            yield from self._imported(found, bound)
            return
        base = f"{bound.module}.{bound.attribute}" if bound.attribute else bound.module
        if not self.modules.is_ours(base):
            self._library(found, base)
            return
        name, rest = base, list(chain[1:])
        while rest and self.modules.is_ours(f"{name}.{rest[0]}"):
            name = f"{name}.{rest.pop(0)}"
        if self.modules.file_of(name):
            yield name, rest[0] if rest else ("" if len(chain) == 1 else "<effects>")

    def _imported(self, found: Reached, bound: Import) -> Iterator[tuple[str, str]]:
        if not bound.attribute:
            yield from self._module_used(found, bound.module)
        elif self.modules.file_of(f"{bound.module}.{bound.attribute}"):
            yield f"{bound.module}.{bound.attribute}", ""
        elif self.modules.is_ours(bound.module):
            yield bound.module, bound.attribute
        else:
            self._library(found, bound.module)

    def _module_used(self, found: Reached, name: str) -> Iterator[tuple[str, str]]:
        if self.modules.is_ours(name):
            if self.modules.file_of(name):
                yield name, ""
        else:
            self._library(found, name)

    @staticmethod
    def _library(found: Reached, module: str) -> None:
        top = module.partition(".")[0]
        if top and top not in _STDLIB and top != OURS:
            found.libraries.add(top)

    def findings(self, reached: Reached, declared: Collection[str]) -> list[Finding]:
        """Return what is suspicious in all the code that a symbol uses; what opens a parameter is not."""
        found: list[Finding] = [Finding(impure=why) for why in reached.broken]
        for module, statement in reached.nodes:
            found += look(statement, self._dotted(module), _parameters(statement), declared, module.file)
        return found

    def _dotted(self, module: Module) -> dict[str, str]:
        if module.name not in self._names:
            self._names[module.name] = {
                name: f"{bound.module}.{bound.attribute}" if bound.attribute else bound.module
                for name, bound in module.imports.items()
            }
        return self._names[module.name]


def _only_ours(module: Module, statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and is_ours(module, statement.value)


def _our_decorators(module: Module, statement: ast.stmt) -> set[ast.AST]:
    return {
        each
        for node in ast.walk(statement)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        for each in node.decorator_list
        if is_ours(module, each)
    }


def _walk_but(node: ast.AST, without: set[ast.AST]) -> Iterator[ast.AST]:
    stack = [node]
    while stack:
        each = stack.pop()
        if each in without:
            continue
        yield each
        stack += ast.iter_child_nodes(each)


def _chain(node: ast.Attribute) -> tuple[str, ...]:
    parts = [node.attr]
    inner: ast.expr = node.value
    while isinstance(inner, ast.Attribute):
        parts.append(inner.attr)
        inner = inner.value
    return (inner.id, *reversed(parts)) if isinstance(inner, ast.Name) else ()


def _parameters(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        arguments = statement.args
        given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        given += [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
        names = {each.arg for each in given}
        # What is made from a parameter is as declared as the parameter is.
        for node in ast.walk(statement):
            if isinstance(node, ast.Assign) and names & {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}:
                names |= {n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)}
        return names
    return set()


def _local_names(statement: ast.stmt) -> set[str]:
    """Return names that are local everywhere in a function: its parameters, and what it binds."""
    if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        return set()
    declared = {name for node in ast.walk(statement) if isinstance(node, ast.Global) for name in node.names}
    bound = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return (_parameters_only(statement) | bound) - declared


def _parameters_only(statement: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    arguments = statement.args
    return {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}


def code_digests(reached: Reached) -> dict[str, str]:
    """Return digests of the code by symbol."""
    return {name: digest(text) for name, text in reached.code.items()}
