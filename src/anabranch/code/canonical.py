"""Code without what does not matter: positions, comments, layout, docstrings, and what is in the model already."""

from __future__ import annotations

import ast
import hashlib
from typing import TYPE_CHECKING

from anabranch.code.modules import OURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anabranch.code.modules import Module


def digest(text: str | bytes) -> str:
    """Return a digest, long enough for fingerprints."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()[:32]


def canonical(module: Module, statements: Sequence[ast.stmt]) -> str:
    """Return statements as text that only changes when what they do changes."""
    return "\n".join(_dump(_Clean(module).visit(_copy(statement))) for statement in statements)


def _copy(node: ast.AST) -> ast.AST:
    """Return a copy of a tree; sharing would let cleaning one change another."""
    fields: dict[str, object] = {}
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            fields[name] = _copy(value)
        elif isinstance(value, list):
            fields[name] = [_copy(each) if isinstance(each, ast.AST) else each for each in value]
        else:
            fields[name] = value
    return type(node)(**fields)


def _dump(node: ast.AST) -> str:
    return ast.dump(node, annotate_fields=False)


class _Clean(ast.NodeTransformer):
    """Takes out docstrings, TYPE_CHECKING blocks, and decorators of ours."""

    def __init__(self, module: Module) -> None:
        self._module = module

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._definition(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._definition(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._definition(node)

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> ast.AST:
        node.decorator_list = [each for each in node.decorator_list if not is_ours(self._module, each)]
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            rest = [] if self._module.docs else node.body[1:]
            node.body = (node.body if self._module.docs else rest) or [ast.Pass()]
        self.generic_visit(node)
        return node


def is_ours(module: Module, node: ast.expr) -> bool:
    """Tell whether an expression is, or calls, something of anabranch's own API: the model has what that says."""
    if isinstance(node, ast.Call):
        return is_ours(module, node.func)
    if isinstance(node, ast.Attribute):
        return is_ours(module, node.value)
    if isinstance(node, ast.Name):
        bound = module.imports.get(node.id)
        return bound is not None and bound.module.partition(".")[0] == OURS
    return False
