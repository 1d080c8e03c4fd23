"""Where the path of a file comes from: a text in the code, a parameter, or nobody knows before it runs."""

from __future__ import annotations

import ast
import posixpath
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from anabranch.code.scopes import Function, Reference, chain_of, parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from anabranch.code.modules import Module, Modules
    from anabranch.code.python import Symbol

JOINS = frozenset({
    "pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath", "pathlib.PurePosixPath", "os.path.join", "str",
    "os.fspath", "os.path.abspath", "os.path.realpath", "os.path.normpath", "os.path.expanduser", "sorted", "list",
    "tuple", "set", "reversed", "iter", "next",
})  # fmt: skip
"""Calls that make a path, or paths, of their arguments."""

SAME = frozenset({"resolve", "absolute", "expanduser", "as_posix", "joinpath"})
"""Methods of a path that make one of the path and the arguments."""

LOOKED_AT = frozenset({"read_text", "read_bytes", "iterdir", "glob", "rglob", "open", "read", "readlines"})
"""Methods that open what they are of; whatever they give has been looked at there."""


class Kind(Enum):
    """Where a path comes from."""

    FILE = "file"
    """Written in the code: `text` is relative to the project's root, or absolute."""
    BELOW = "below"
    """Something computed in the folder `text`."""
    PARAMETER = "parameter"
    """The parameter `text` of the function, or something made from it."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Origin:
    """One place that a path may come from."""

    kind: Kind
    text: str = ""


UNKNOWN = frozenset({Origin(Kind.UNKNOWN)})
NOTHING: frozenset[Origin] = frozenset()


@dataclass(slots=True)
class Frame:
    """A statement at the top level of a module: what its local names may be.

    Attributes:
        module: where it is.
        given: the parameters of the function that it is.
        inner: parameters of functions within it.
        values: what names are bound to anywhere within it.
        references: the uses that are not local, by their node.
    """

    module: Module
    given: frozenset[str] = frozenset()
    inner: set[str] = field(default_factory=set)
    values: dict[str, list[ast.expr]] = field(default_factory=dict)
    references: dict[ast.AST, Reference] = field(default_factory=dict)


def frame(symbol: Symbol, statement: ast.stmt) -> Frame:
    """Read a statement of a symbol."""
    given = parameters(statement.args) if isinstance(statement, Function) else []
    made = Frame(symbol.module, frozenset(each.arg for each in given))
    for node in ast.walk(statement):
        _bind(made, node)
        if isinstance(node, Function | ast.Lambda) and node is not statement:
            made.inner |= {each.arg for each in parameters(node.args)}
    for reference in symbol.references:
        root: ast.expr = reference.node
        made.references[root] = reference
        while isinstance(root, ast.Attribute):
            root = root.value
            made.references.setdefault(root, Reference(root, chain_of(root), reference.bound))
    return made


def _bind(made: Frame, node: ast.AST) -> None:
    """Note what a node binds names to."""
    match node:
        case ast.Assign(targets=targets, value=value):
            pass
        case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.AugAssign(target=target, value=value):
            targets = [target]
        case ast.NamedExpr(target=target, value=value):
            targets = [target]
        case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
            targets = [target]
        case ast.comprehension(target=target, iter=value):
            targets = [target]
        case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
            targets = [target]
        case _:
            return
    names = (each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name))
    for name in names:
        made.values.setdefault(name, []).append(value)


class Origins:
    """Tells where paths come from, through assignments and constants of the project."""

    def __init__(
        self, modules: Modules, definition: Callable[[Module, Reference], Symbol | None], opens: Callable[[str], bool]
    ) -> None:
        """Use the modules of a snapshot.

        Args:
            modules: of the snapshot.
            definition: finds the symbol that a use names.
            opens: tells whether a function, by its name, opens what it is given.
        """
        self._modules, self._definition, self._opens = modules, definition, opens

    def of(  # noqa: C901, PLR0912 - a case for each expression
        self, node: ast.expr, inside: Frame, seen: frozenset[ast.AST] = frozenset()
    ) -> frozenset[Origin]:
        """Return where the path that an expression gives may come from; nothing where it is no path."""
        if node in seen:
            return NOTHING
        seen |= {node}
        match node:
            case ast.Constant(value=str() as text):
                return frozenset({Origin(Kind.FILE, text)})
            case ast.Constant():
                return NOTHING
            case ast.Name():
                return self._name(node, inside, seen)
            case ast.Attribute(value=value, attr="parent"):
                return _parent(self.of(value, inside, seen))
            case ast.Subscript(value=ast.Attribute(value=value, attr="parents"), slice=ast.Constant(value=int() as up)):
                found = self.of(value, inside, seen)
                for _ in range(up + 1):
                    found = _parent(found)
                return found
            case ast.Attribute() if node in inside.references:
                return self._constant(inside.references[node], inside, seen)
            case ast.Attribute(value=value) | ast.Subscript(value=value):
                found = self.of(value, inside, seen)
                return found if isinstance(node, ast.Subscript) else _given(found)
            case ast.Call():
                return self._call(node, inside, seen)
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return _join(self.of(left, inside, seen), self.of(right, inside, seen), "/")
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return _join(self.of(left, inside, seen), self.of(right, inside, seen), "")
            case ast.JoinedStr(values=values):
                found = frozenset({Origin(Kind.FILE)})
                for each in values:
                    inner = each.value if isinstance(each, ast.FormattedValue) else each
                    found = _join(found, self.of(inner, inside, seen) or UNKNOWN, "")
                return found
            case _:
                return self._any(node, inside, seen)

    def _any(self, node: ast.expr, inside: Frame, seen: frozenset[ast.AST]) -> frozenset[Origin]:
        match node:
            case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts) | ast.BoolOp(values=parts):
                pass
            case ast.Dict(values=parts):
                pass
            case ast.IfExp(body=body, orelse=otherwise):
                parts = [body, otherwise]
            case ast.Starred(value=value) | ast.Await(value=value) | ast.NamedExpr(value=value):
                parts = [value]
            case ast.ListComp(elt=value) | ast.SetComp(elt=value) | ast.GeneratorExp(elt=value):
                parts = [value]
            case _:
                return UNKNOWN
        return frozenset().union(*(self.of(part, inside, seen) for part in parts))

    def _name(self, node: ast.Name, inside: Frame, seen: frozenset[ast.AST]) -> frozenset[Origin]:
        if node in inside.references:
            return self._constant(inside.references[node], inside, seen)
        found: frozenset[Origin] = NOTHING
        if node.id in inside.given:
            found |= {Origin(Kind.PARAMETER, node.id)}
        if node.id in inside.inner:
            found |= UNKNOWN
        for value in inside.values.get(node.id, []):
            found |= self.of(value, inside, seen)
        return found if node.id in inside.given or node.id in inside.inner or node.id in inside.values else UNKNOWN

    def _constant(self, reference: Reference, inside: Frame, seen: frozenset[ast.AST]) -> frozenset[Origin]:
        if reference.chain == ("__file__",):
            return frozenset({Origin(Kind.FILE, inside.module.file)})
        symbol = self._definition(inside.module, reference)
        if symbol is None or len(symbol.statements) != 1:
            return UNKNOWN
        match symbol.statements[0]:
            case ast.Assign(targets=[ast.Name()], value=value) | ast.AnnAssign(value=ast.expr() as value):
                return self.of(value, frame(symbol, symbol.statements[0]), seen)
            case _:
                return UNKNOWN

    def _call(self, node: ast.Call, inside: Frame, seen: frozenset[ast.AST]) -> frozenset[Origin]:
        reference = inside.references.get(node.func)
        name = self._modules.meaning(inside.module, reference) if reference else ""
        parts = [self.of(each, inside, seen) for each in node.args]
        if name in JOINS:
            found = parts[0] if parts else frozenset({Origin(Kind.FILE, ".")})
            for part in parts[1:]:
                found = _join(found, part, "/")
            return found
        if name == "os.path.dirname" and parts:
            return _parent(parts[0])
        if name in {"io.StringIO", "io.BytesIO"} or (name and self._opens(name)):
            return NOTHING
        if not isinstance(node.func, ast.Attribute) or name:
            return frozenset().union(*map(_given, parts)) - UNKNOWN or UNKNOWN
        base = self.of(node.func.value, inside, seen)
        if node.func.attr in SAME:
            for part in parts:
                base = _join(base, part, "/")
            return base
        if node.func.attr in LOOKED_AT:
            return NOTHING
        return frozenset().union(*map(_given, [base, *parts])) - UNKNOWN or UNKNOWN


def _given(found: frozenset[Origin]) -> frozenset[Origin]:
    """Return what something made from a path comes from: its parameters, or nobody knows."""
    return frozenset(each for each in found if each.kind is Kind.PARAMETER) or UNKNOWN


def _parent(found: frozenset[Origin]) -> frozenset[Origin]:
    return frozenset(
        Origin(each.kind, posixpath.dirname(each.text) or ".") if each.kind is Kind.FILE else each for each in found
    )


def _join(first: frozenset[Origin], second: frozenset[Origin], between: str) -> frozenset[Origin]:
    """Join paths: what comes first decides where a path leads."""
    return frozenset(_joined(one, two, between) for one in first for two in second)


def _joined(one: Origin, two: Origin, between: str) -> Origin:
    if one.kind is not Kind.FILE:
        return one
    if two.kind is Kind.FILE:
        return Origin(Kind.FILE, posixpath.join(one.text, two.text) if between else one.text + two.text)
    if between and two.kind is Kind.BELOW:
        return Origin(Kind.BELOW, posixpath.join(one.text, two.text))
    folder = one.text if between else one.text.rpartition("/")[0]
    if folder:
        return Origin(Kind.BELOW, folder)
    return two if not one.text else Origin(Kind.UNKNOWN)
