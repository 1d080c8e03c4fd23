"""Code without what does not matter: positions, comments, layout, docstrings, and what is in the model already."""

from __future__ import annotations

import ast
import hashlib
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anabranch.code.scopes import Import

OURS = "anabranch"
_FOR_PEOPLE = frozenset({"description", "sensitive"})
Node = TypeVar("Node", bound=ast.AST)


def digest(text: str | bytes) -> str:
    """Return a digest, long enough for fingerprints."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()[:32]


def canonical(statements: Sequence[ast.stmt]) -> str:
    """Return cleaned statements as text that only changes when what they do changes."""
    return "\n".join(ast.dump(statement, annotate_fields=False) for statement in statements)


def clean(statement: Node, imports: Mapping[str, Import], *, docs: bool) -> Node:
    """Take out of a statement, in place, what a fingerprint must not see.

    Args:
        statement: what to clean.
        imports: what the module's names mean, to know our own decorators and calls.
        docs: keep docstrings, because the module reads them.
    """
    cleaned: Node = _Clean(imports, docs=docs).visit(statement)
    return cleaned


class _Clean(ast.NodeTransformer):
    """Takes out docstrings, TYPE_CHECKING blocks, decorators of ours, and words for people in calls of ours."""

    def __init__(self, imports: Mapping[str, Import], *, docs: bool) -> None:
        self._imports, self._docs = imports, docs

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._definition(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._definition(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._definition(node)

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        if is_typing(node.test):
            return node.orelse or [ast.Pass()]
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if is_ours(node, self._imports):
            node.keywords = [each for each in node.keywords if each.arg not in _FOR_PEOPLE]
        self.generic_visit(node)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        node.kind = None  # u"" is ""
        return node

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> ast.AST:
        node.decorator_list = [each for each in node.decorator_list if not is_ours(each, self._imports)]
        if not self._docs and is_text(node.body[0]):
            node.body = node.body[1:] or [ast.Pass()]
        self.generic_visit(node)
        return node


def is_ours(node: ast.expr, imports: Mapping[str, Import]) -> bool:
    """Tell whether an expression is, or calls, something of anabranch's own API: the model has what that says."""
    while isinstance(node, ast.Call | ast.Attribute):
        node = node.func if isinstance(node, ast.Call) else node.value
    bound = imports.get(node.id) if isinstance(node, ast.Name) else None
    return bound is not None and bound.module.partition(".")[0] == OURS


def is_text(statement: ast.stmt) -> bool:
    """Tell whether a statement is a text alone, such as a docstring."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def is_typing(test: ast.expr) -> bool:
    """Tell whether a condition holds for type checkers only."""
    match test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
        case _:
            return False
