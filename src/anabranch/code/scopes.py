"""Names as Python resolves them: which uses in a statement are of the module's own names, or of a local import."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Comprehension: TypeAlias = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_INNER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(frozen=True, slots=True)
class Import:
    """What an import binds a name to: a module, or with `attribute` something in it."""

    module: str
    attribute: str = ""

    @property
    def dotted(self) -> str:
        """The whole name.

        >>> Import("datetime", "date").dotted
        'datetime.date'
        """
        return f"{self.module}.{self.attribute}" if self.attribute else self.module


@dataclass(frozen=True, slots=True)
class Reference:
    """A use of a name that is not local, with the attributes taken from it: `helpers.tidy` is one use.

    Attributes:
        node: where.
        chain: the name and the attributes.
        bound: what a local import binds the name to; None where it is the module's, or built in.
        call: the call whose function this is.
        told: only told to the reader, as an annotation is.
    """

    node: ast.expr
    chain: tuple[str, ...]
    bound: Import | None = None
    call: ast.Call | None = None
    told: bool = False


def references(statement: ast.stmt, package: str) -> tuple[list[Reference], list[str]]:
    """Return the uses of names in a statement at the top level that are not local to a function within it.

    Args:
        statement: of a module.
        package: what relative imports start from.

    Returns:
        The uses, and the modules that imports within the statement load.
    """
    walker = _Walker(package)
    walker.visit(statement, _Scope())
    return walker.found, walker.loads


def bindings(statement: ast.Import | ast.ImportFrom, package: str) -> Iterator[tuple[str, Import]]:
    """Yield the names that an import binds; `*` binds none that are known."""
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            top = alias.name.partition(".")[0]
            yield (alias.asname, Import(alias.name)) if alias.asname else (top, Import(top))
        return
    source = absolute(statement, package)
    for alias in statement.names:
        if alias.name != "*":
            yield alias.asname or alias.name, Import(source, alias.name)


def loaded(statement: ast.Import | ast.ImportFrom, package: str) -> list[str]:
    """Return the modules that an import may load; `from a import b` loads `a.b` if that is a module."""
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    source = absolute(statement, package)
    return [source, *(f"{source}.{alias.name}" for alias in statement.names)]


def absolute(statement: ast.ImportFrom, package: str) -> str:
    """Return the module that a `from ... import` names."""
    if not statement.level:
        return statement.module or ""
    parts = package.split(".") if package else []
    kept = parts[: len(parts) - statement.level + 1]
    return ".".join([*kept, *([statement.module] if statement.module else [])])


def bound_in(node: ast.AST) -> Iterator[str]:
    """Yield the names that a node binds where it stands, imports apart; not those within functions and classes."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
            return
        case ast.Name(id=name, ctx=ast.Store()):
            yield name
        case ast.Lambda():
            return
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            # Of all that is bound in a comprehension only `:=` is seen outside of it.
            yield from (each.target.id for each in ast.walk(node) if isinstance(each, ast.NamedExpr))
            return
        case (
            ast.ExceptHandler(name=str() as name) | ast.MatchAs(name=str() as name) | ast.MatchStar(name=str() as name)
        ):
            yield name
        case ast.MatchMapping(rest=str() as name):
            yield name
        case _:
            pass
    for child in ast.iter_child_nodes(node):
        yield from bound_in(child)


def here(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and all below it that runs where it stands: not the bodies of functions and classes."""
    stack = [node]
    while stack:
        each = stack.pop()
        yield each
        if not isinstance(each, _INNER):
            stack += ast.iter_child_nodes(each)


def parameters(arguments: ast.arguments) -> list[ast.arg]:
    """Return all parameters, in order."""
    plain = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return plain + [each for each in (arguments.vararg, arguments.kwarg) if each is not None]


def chain_of(node: ast.expr) -> tuple[str, ...]:
    """Return a name and the attributes taken from it; nothing for any other expression."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else ()


class _Scope:
    """The names that are local at a place: to what an import binds each, or None."""

    def __init__(self, outer: _Scope | None = None, names: Iterable[tuple[str, Import | None]] = ()) -> None:
        self.names: dict[str, Import | None] = {**outer.names} if outer else {}
        for name, bound in names:
            self.names[name] = bound

    @classmethod
    def of_function(cls, node: Function | ast.Lambda, outer: _Scope, package: str) -> _Scope:
        names: list[tuple[str, Import | None]] = [(each.arg, None) for each in parameters(node.args)]
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        inside = [each for part in body for each in here(part)]
        names += [(name, None) for part in body for name in bound_in(part)]
        for each in inside:
            if isinstance(each, ast.Import | ast.ImportFrom):
                names += bindings(each, package)
        made = cls(outer, names)
        for each in inside:
            if isinstance(each, ast.Global):
                for name in each.names:
                    made.names.pop(name, None)
        return made


class _Walker:
    """Walks a statement with the scopes of Python; a class adds none, since functions within do not see it."""

    def __init__(self, package: str) -> None:
        self.found: list[Reference] = []
        self.loads: list[str] = []
        self._package = package
        self._told = False

    def visit(self, node: ast.AST, scope: _Scope) -> None:  # noqa: C901 - a case for each node
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                self._function(node, scope)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self._comprehension(node, scope)
            case ast.Name() | ast.Attribute():
                self._name(node, scope, None)
            case ast.Call(func=ast.Name() | ast.Attribute() as function):
                self._name(function, scope, node)
                self._all([*node.args, *node.keywords], scope)
            case ast.AnnAssign():
                self._tell(node.annotation, scope)
                self._all([node.target, *([node.value] if node.value else [])], scope)
            case ast.AugAssign(target=ast.Name() as target):
                self._use(target, (target.id,), scope, None)
                self.visit(node.value, scope)
            case ast.Import() | ast.ImportFrom():
                self.loads += loaded(node, self._package)
            case ast.ClassDef():
                for each in (inner for part in node.body for inner in here(part)):
                    if isinstance(each, ast.Import | ast.ImportFrom):  # whoever has the class has what it imports
                        bound = bindings(each, self._package)
                        self.found += [Reference(ast.Name(name), (name,), target) for name, target in bound]
                self._all(ast.iter_child_nodes(node), scope)
            case _:
                self._all(ast.iter_child_nodes(node), scope)

    def _all(self, nodes: Iterable[ast.AST | None], scope: _Scope) -> None:
        for each in nodes:
            if each is not None:
                self.visit(each, scope)

    def _tell(self, node: ast.expr | None, scope: _Scope) -> None:
        before, self._told = self._told, True
        self._all([node], scope)
        self._told = before

    def _function(self, node: Function | ast.Lambda, scope: _Scope) -> None:
        self._all([*node.args.defaults, *node.args.kw_defaults], scope)
        for each in parameters(node.args):
            self._tell(each.annotation, scope)
        inner = _Scope.of_function(node, scope, self._package)
        if isinstance(node, ast.Lambda):
            self.visit(node.body, inner)
            return
        self._all(node.decorator_list, scope)
        self._tell(node.returns, scope)
        self._all(node.body, inner)

    def _comprehension(self, node: Comprehension, scope: _Scope) -> None:
        targets = [(name, None) for each in node.generators for name in bound_in(each.target)]
        inner = _Scope(scope, targets)
        for position, each in enumerate(node.generators):
            self.visit(each.iter, inner if position else scope)
            self._all([each.target, *each.ifs], inner)
        self._all([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt], inner)

    def _name(self, node: ast.Name | ast.Attribute, scope: _Scope, call: ast.Call | None) -> None:
        chain = chain_of(node)
        if not chain and isinstance(node, ast.Attribute):
            self.visit(node.value, scope)
        elif isinstance(node, ast.Attribute) or isinstance(node.ctx, ast.Load):
            self._use(node, chain, scope, call)

    def _use(self, node: ast.expr, chain: tuple[str, ...], scope: _Scope, call: ast.Call | None) -> None:
        bound = scope.names.get(chain[0])
        if bound is not None or chain[0] not in scope.names:
            self.found.append(Reference(node, chain, bound, call, self._told))
