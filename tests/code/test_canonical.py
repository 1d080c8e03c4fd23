from __future__ import annotations

import ast
import random

from hypothesis import given
from hypothesis import strategies as st
from tests.code.trees import python

SOURCE = '''
import polars as pl
from helpers import tidy
LATE = 15
NAMES = {"a": 1, "b": [2.5, None, True]}
class Kind:
    """What it is."""
    size: int = 3
    def grow(self, by: int = 4) -> int:
        """Grow."""
        return self.size * by if by > 5 else -self.size
def helper(x, *, key="k"):
    total = 0
    for each in x:
        if each == "stop":
            break
        total += each % 7
    return f"{total:>8} of {key}" + r"\\d+" + 'it\\'s'
def clean(flights, days=(1, 2)):
    """Clean them.

    In two lines.
    """
    found = [helper(x, key="z") for x in flights if x not in NAMES]
    kind = Kind().grow(by=9)
    return tidy(found, lambda y: y + LATE), kind, b"bytes", 1e10, days[0:10]
'''
HELPERS = '''
"""Helpers."""
SCALE = 12
def tidy(x, f):
    with f() as g:
        return g(x) / SCALE
'''


def files(main: str, helpers: str = HELPERS) -> dict[str, str]:
    return {"flights.py": main, "helpers.py": helpers}


BEFORE = python(files(SOURCE)).digest


class Redocument(ast.NodeTransformer):
    """Gives other docstrings to some definitions, and takes them from others."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def visit(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
            has = ast.get_docstring(node) is not None
            rest = node.body[1:] if has else node.body
            doc = ast.Expr(ast.Constant(f"Words {self.chance.random()}"))
            node.body = [doc, *rest] if self.chance.random() < 0.5 else (rest or [ast.Pass()])
        return node


def reformatted(source: str, chance: random.Random) -> str:
    """Return the same code in another layout, with other comments, blank lines and docstrings."""
    tree = ast.parse(source)
    if chance.random() < 0.7:
        tree = ast.fix_missing_locations(Redocument(chance).visit(tree))
    text = ast.unparse(tree) if chance.random() < 0.9 else source
    lines: list[str] = []
    inside = False
    for line in text.split("\n"):
        before = inside
        inside ^= line.count('"""') % 2 == 1
        if not before and not inside and chance.random() < 0.5:
            lines += chance.choice([[""], ["    # a comment"], ["", "# another", ""]])
        lines.append(line)
    return "\n".join(lines)


@given(st.randoms(use_true_random=False))
def test_reformatting_changes_no_digest(chance: random.Random) -> None:
    assert python(files(reformatted(SOURCE, chance), reformatted(HELPERS, chance))).digest == BEFORE


def constants(tree: ast.Module) -> list[ast.Constant]:
    """Return the constants of a source that are no docstrings."""
    documented = (node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef))
    docs = {id(node.body[0].value) for node in documented if ast.get_docstring(node) is not None}  # type: ignore[attr-defined]
    return [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docs]


def mutated(value: object) -> object:
    """Return another constant of about the same kind."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value + "x"
        case bytes():
            return value + b"x"
        case _:
            return 0


@given(st.data())
def test_changing_any_constant_in_code_that_is_used_changes_the_digest(data: st.DataObject) -> None:
    sources = [SOURCE, HELPERS]
    which = data.draw(st.sampled_from([0, 1]))
    tree = ast.parse(sources[which])
    constant = data.draw(st.sampled_from(constants(tree)))
    constant.value = mutated(constant.value)  # type: ignore[assignment]
    sources[which] = ast.unparse(ast.fix_missing_locations(tree))
    assert python(files(*sources)).digest != BEFORE


def test_the_order_of_definitions_does_not_count() -> None:
    parts = ["A = 1\n", "def f(x):\n    return A\n", "def clean(x):\n    return f(x)\n"]
    assert python("".join(parts)).digest == python("\n\n".join(reversed(parts))).digest


def test_a_docstring_that_code_reads_counts() -> None:
    source = 'def clean(x):\n    """{}"""\n    return clean.__doc__\n'
    assert python(source.format("a")).digest != python(source.format("b")).digest


def test_spelling_of_constants_does_not_count_but_their_type_does() -> None:
    source = "def clean(x):\n    return {}\n"
    texts = ["1000", "1_000", "0x3e8", "1000.0", "'a'", "u'a'", '"a"', "b'a'", "True", "1"]
    digest = {text: python(source.format(text)).digest for text in texts}
    assert digest["1000"] == digest["1_000"] == digest["0x3e8"]
    assert digest["'a'"] == digest["u'a'"] == digest['"a"']
    assert len({digest[text] for text in ["1000", "1000.0", "'a'", "b'a'", "True", "1"]}) == 6
