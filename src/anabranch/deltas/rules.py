"""Rules for CI, such as `rows_removed > 0` or `legs.rows_changed > 0.01 * legs.rows_before`: small, and safe."""

from __future__ import annotations

import ast
import operator
from typing import TYPE_CHECKING, Any

from anabranch.model.delta import Status
from anabranch.model.errors import UsageError, closest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from anabranch.model.delta import DatasetDelta

FIGURES: dict[str, Callable[[DatasetDelta], int]] = {
    "rows_before": lambda d: d.before,
    "rows_after": lambda d: d.after,
    "rows_same": lambda d: d.same,
    "rows_added": lambda d: d.added,
    "rows_removed": lambda d: d.removed,
    "rows_changed": lambda d: d.changed,
    "cells_changed": lambda d: sum(c.changed or 0 for c in d.columns if c.status is Status.CHANGED),
    "columns_changed": lambda d: sum(c.status is Status.CHANGED for c in d.columns),
    "schema_changes": lambda d: len(d.schema_changes),
    "unknown_columns": lambda d: sum(c.status is Status.UNKNOWN for c in d.columns),
    "duplicate_keys": lambda d: d.duplicates[1],
    "null_keys": lambda d: d.nulls[1],
}
"""What rules may name: alone it is the sum over all datasets, as `dataset.figure` that of one."""

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Not: operator.not_,
    ast.USub: operator.neg,
}


def failed(rules: Sequence[str], deltas: Sequence[DatasetDelta]) -> tuple[str, ...]:
    """Return the rules that hold, so that the check fails.

    Raises:
        UsageError: `bad-rule`.
    """
    known = {delta.dataset: delta for delta in deltas}
    return tuple(rule for rule in rules if _held(rule, known))


def validate(rules: Sequence[str]) -> None:
    """Make sure that rules can be understood, before there is anything to hold them against.

    Raises:
        UsageError: `bad-rule`.
    """
    for rule in rules:
        _held(rule, None)


def _held(rule: str, deltas: Mapping[str, DatasetDelta] | None) -> Any:
    try:
        return _value(rule, _parsed(rule), deltas)
    except RecursionError:
        raise _bad(rule[:40] + "…", "it is too deep") from None


def _parsed(rule: str) -> ast.expr:
    try:
        return ast.parse(rule.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _bad(rule, "it is no expression") from None


def _bad(rule: str, why: str, hint: str = "such as 'rows_removed > 0', or 'legs.rows_changed > 100'") -> UsageError:
    return UsageError(f"--fail-on '{rule}': {why}", code="bad-rule", hint=hint)


def _value(  # noqa: C901 - a case for each kind of node
    rule: str, node: ast.AST, deltas: Mapping[str, DatasetDelta] | None
) -> Any:
    match node:
        case ast.Constant(value=bool() | int() | float()):
            return node.value
        case ast.Name(id=name):
            figure = _figure(rule, name)
            return sum(figure(delta) for delta in deltas.values()) if deltas is not None else 1
        case ast.Attribute(value=ast.Name(id=dataset), attr=name):
            if deltas is None:
                return bool(_figure(rule, name))
            if dataset not in deltas:
                raise _bad(rule, f"the branch has no dataset `{dataset}`", closest(dataset, deltas))
            return _figure(rule, name)(deltas[dataset])
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            try:
                return _OPERATORS[type(op)](_value(rule, left, deltas), _value(rule, right, deltas))
            except ZeroDivisionError:
                raise _bad(rule, "it divides by zero", "multiply the other side instead") from None
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(rule, operand, deltas))
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_value(rule, each, deltas) for each in values)
        case ast.BoolOp(values=values):
            return any(_value(rule, each, deltas) for each in values)
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in _OPERATORS for op in ops):
            values = [_value(rule, each, deltas) for each in (left, *others)]
            pairs = zip(ops, values, values[1:], strict=False)
            return all(_OPERATORS[type(op)](a, b) for op, a, b in pairs)
        case _:
            raise _bad(rule, f"`{ast.unparse(node)}` is not allowed there")


def _figure(rule: str, name: str) -> Callable[[DatasetDelta], int]:
    if name not in FIGURES:
        raise _bad(rule, f"there is no figure `{name}`", closest(name, FIGURES))
    return FIGURES[name]
