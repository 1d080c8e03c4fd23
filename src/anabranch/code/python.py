"""Python steps: the function, and all of the project that it uses, symbol by symbol, through imports."""

from __future__ import annotations

import builtins
import sys
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from anabranch.code.canonical import OURS, canonical, digest
from anabranch.code.modules import Modules
from anabranch.code.opening import opened
from anabranch.code.scopes import Import, references
from anabranch.code.suspicions import imported_by_name, look

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterable, Iterator

    from anabranch.code.modules import Module, Tree
    from anabranch.code.scopes import Reference
    from anabranch.code.suspicions import Finding

WHOLE = ""
"""The symbol that stands for all of a module: whoever has the module can take anything from it."""
IMPORT = "<import>"
"""The symbol that stands for what importing a module does."""
SCRIPT = "<script>"
"""The symbol that stands for what running a file does."""

_BUILTINS = frozenset(dir(builtins))


@dataclass(slots=True)
class Symbol:
    """A symbol of a module, read once.

    Attributes:
        module: where it is defined.
        name: of the symbol; WHOLE, IMPORT or SCRIPT.
        statements: that define it.
        references: its uses of names that are not its own.
        uses: the symbols that it uses: a module's name and a chain of names.
        libraries: the top-level modules of others that it uses.
        code: digest of its canonical code; empty where it has none.
        broken: why it cannot be followed.
    """

    module: Module
    name: str
    statements: list[ast.stmt] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    uses: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    libraries: set[str] = field(default_factory=set)
    code: str = ""
    broken: list[str] = field(default_factory=list)

    def title(self, main: str) -> str:
        """Return its name for people; `main` is the module whose own symbols go without the module's name."""
        if self.name == IMPORT:
            return f"importing {self.module.name}"
        if self.name == SCRIPT:
            return self.module.file
        if self.name == WHOLE:
            return f"module {self.module.name}"
        is_function = type(self.statements[0]).__name__ in {"FunctionDef", "AsyncFunctionDef"}
        name = self.name + ("()" if is_function else "")
        return name if self.module.name == main else f"{self.module.name}.{name}"


@dataclass(slots=True)
class Reached:
    """What a symbol uses, itself included.

    Attributes:
        code: digests by the titles of symbols.
        libraries: top-level modules of others.
        findings: what is suspicious.
        broken: why something cannot be followed.
    """

    code: dict[str, str] = field(default_factory=dict)
    libraries: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


class PythonCode:
    """The Python of one snapshot."""

    def __init__(self, tree: Tree, folders: tuple[str, ...] = ("",)) -> None:
        """Use a snapshot; `folders` are where its modules are looked for."""
        self.modules = Modules(tree, folders)
        self._reached: dict[tuple[str, str], Reached] = {}
        self._symbols: dict[tuple[str, str], Symbol] = {}

    def entry(self, entry: str) -> Reached:
        """Return what a function `module:qualname` uses."""
        module, _, name = entry.partition(":")
        return self.reach(module, name.partition(".")[0] or WHOLE)

    def reach(self, module: str, name: str) -> Reached:
        """Return what a symbol uses."""
        if (module, name) not in self._reached:
            self._reached[module, name] = self._reach(module, name)
        return self._reached[module, name]

    def _reach(self, main: str, name: str) -> Reached:
        reached = Reached()
        if not self.modules.file_of(main):
            reached.broken.append(f"there is no module {main} in the project")
        found = self._walk(main, name, reached)
        for symbol in found.values():
            if symbol.code:
                reached.code[symbol.title(main)] = symbol.code
            reached.libraries |= symbol.libraries
            reached.broken += symbol.broken
            reached.findings += look(symbol, self.modules)
        reached.findings += opened(found, (main, name), self.modules, self.definition)
        return reached

    def _walk(self, main: str, name: str, reached: Reached) -> dict[tuple[str, str], Symbol]:
        """Return all symbols that one uses, sorted."""
        found: dict[tuple[str, str], Symbol] = {}
        stack: list[tuple[str, tuple[str, ...]]] = [(main, (name,))]
        seen: set[tuple[str, tuple[str, ...]]] = set()
        while stack:
            use = stack.pop()
            if use in seen:
                continue
            seen.add(use)
            module = self.modules.find(use[0])
            if module is None:
                reached.broken += [self.modules.broken[use[0]]] if use[0] in self.modules.broken else []
                continue
            for symbol in self._defined(module, use[1], reached, stack):
                found[symbol.module.name, symbol.name] = symbol
                stack += symbol.uses
        return dict(sorted(found.items()))

    def _defined(
        self, module: Module, chain: tuple[str, ...], reached: Reached, stack: list[tuple[str, tuple[str, ...]]]
    ) -> Iterator[Symbol]:
        """Yield the symbols that a chain of names of a module stands for; put on the stack what it leads to."""
        name = chain[0]
        if name in {WHOLE, IMPORT, SCRIPT}:
            yield self._symbol(module, name)
            return
        if name in module.definitions:
            yield self._symbol(module, name)
        if name in module.imports:
            uses, libraries = self.follow(module.imports[name], chain[1:], module.name)
            stack += [*uses, (module.name, (IMPORT,))]
            reached.libraries |= libraries
        if name in module.definitions or name in module.imports:
            return
        if self.modules.is_ours(f"{module.name}.{name}"):
            stack += self.follow(Import(f"{module.name}.{name}"), chain[1:])[0]
            return
        ours = [star for star in module.stars if self.modules.provides(star, name)]
        others = [star for star in module.stars if not self.modules.is_ours(star)]
        if "__getattr__" in module.definitions:
            yield self._symbol(module, "__getattr__")
        elif ours or others:
            stack += [(star, chain) for star in ours]
            reached.libraries |= _libraries(others)
        elif name.startswith("__") and name.endswith("__"):
            stack.append((module.name, (IMPORT,)))
        else:
            reached.broken.append(f"{module.file} has no {name}")

    def definition(self, module: Module, reference: Reference) -> Symbol | None:
        """Return the symbol that a use names, where that is one definition of the project."""
        uses = self._named(module, reference)[0]
        seen = set(uses)
        while uses:
            owner, (name, *rest) = uses.pop()
            found = self.modules.find(owner)
            if found is None or name in {IMPORT, WHOLE}:
                continue
            if name in found.definitions:
                return None if rest else self._symbol(found, name)
            if name in found.imports:
                more = self.follow(found.imports[name], tuple(rest), owner)[0]
            else:
                more = [(star, (name, *rest)) for star in found.stars if self.modules.provides(star, name)]
            uses += [use for use in more if use not in seen]
            seen.update(more)
        return None

    def _symbol(self, module: Module, name: str) -> Symbol:
        key = (module.name, name)
        if key not in self._symbols:
            self._symbols[key] = self._read(module, name)
        return self._symbols[key]

    def _read(self, module: Module, name: str) -> Symbol:
        statements = {WHOLE: module.body, SCRIPT: module.body, IMPORT: module.effects}.get(name)
        symbol = Symbol(module, name, module.definitions[name] if statements is None else statements)
        if name in {IMPORT, SCRIPT}:
            symbol.uses += self._loads([module.name.rpartition(".")[0], *module.loads])
        else:
            symbol.uses.append((module.name, (IMPORT,)))
        if name == WHOLE:
            for bound in module.imports.values():
                self._add(symbol, *self.follow(bound, (), module.name))
        try:
            # What an effect binds is in the digest of the effects, which whoever uses the module has.
            own = symbol.statements if name in {WHOLE, IMPORT, SCRIPT} else _but(symbol.statements, module.effects)
            text = canonical(own and symbol.statements)
            symbol.code = digest(text) if text else ""
            for statement in symbol.statements:
                found, loads = references(statement, module.package)
                symbol.references += found
                symbol.uses += self._loads(loads)
        except RecursionError:
            symbol.broken.append(f"{module.file} is nested too deeply to be followed")
        for reference in symbol.references:
            self._add(symbol, *self._named(module, reference))
            if target := imported_by_name(reference, module, self.modules):
                self._add(symbol, *self.follow(Import(target), ()))
        symbol.uses = list(dict.fromkeys(symbol.uses))
        return symbol

    @staticmethod
    def _add(symbol: Symbol, uses: Iterable[tuple[str, tuple[str, ...]]], libraries: set[str]) -> None:
        symbol.uses += uses
        symbol.libraries |= libraries

    def _loads(self, names: Iterable[str]) -> list[tuple[str, tuple[str, ...]]]:
        """Return what loading modules does: their effects, and those of the packages that they are in."""
        parts = [name.split(".") for name in names]
        every = dict.fromkeys(".".join(part[:end]) for part in parts for end in range(1, len(part) + 1))
        return [(name, (IMPORT,)) for name in every if self.modules.file_of(name)]

    def _named(self, module: Module, reference: Reference) -> tuple[list[tuple[str, tuple[str, ...]]], set[str]]:
        """Return the symbols and the libraries that a use of a name is of."""
        if reference.bound is not None:
            return self.follow(reference.bound, reference.chain[1:])
        name = reference.chain[0]
        if name in module.definitions or name in module.imports:
            return [(module.name, reference.chain)], set()
        if name in _BUILTINS and not any(self.modules.provides(star, name) for star in module.stars):
            return [], set()
        if any(self.modules.provides(star, name) for star in module.stars):
            return [(module.name, reference.chain)], set()
        return [], _libraries(star for star in module.stars if not self.modules.is_ours(star))

    def follow(
        self, bound: Import, rest: tuple[str, ...], within: str = ""
    ) -> tuple[list[tuple[str, tuple[str, ...]]], set[str]]:
        """Return the symbols and the libraries that an import, with attributes taken from it, leads to.

        Args:
            bound: what is imported.
            rest: the attributes.
            within: the module that imports it: `from . import x` in a package is never about the package's own `x`.
        """
        if not self.modules.is_ours(bound.module):
            return [], _libraries([bound.module])
        name, chain = bound.module, [*([bound.attribute] if bound.attribute else []), *rest]
        while chain and self.modules.is_ours(f"{name}.{chain[0]}"):
            if name != within and self.modules.provides(name, chain[0]):
                break
            name = f"{name}.{chain.pop(0)}"
        loads = self._loads([name])
        if self.modules.file_of(name):
            return [*loads, (name, tuple(chain) or (WHOLE,))], set()
        return loads, _libraries([bound.module])


def _but(statements: list[ast.stmt], others: list[ast.stmt]) -> list[ast.stmt]:
    return [each for each in statements if not any(each is other for other in others)]


@cache
def _third_party(top: str) -> bool:
    return top not in sys.stdlib_module_names and top != OURS


def _libraries(modules: Iterable[str]) -> set[str]:
    tops = {name.partition(".")[0] for name in modules}
    return {top for top in tops if top and _third_party(top)}
