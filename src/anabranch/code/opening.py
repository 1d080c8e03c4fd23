"""Files that code opens: of the project, handed over by a port, or nobody's."""

from __future__ import annotations

import ast
import posixpath
import re
from typing import TYPE_CHECKING

from anabranch.code.origins import UNKNOWN, Frame, Kind, Origin, Origins, frame
from anabranch.code.scopes import Function
from anabranch.code.suspicions import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from anabranch.code.modules import Module, Modules
    from anabranch.code.python import Symbol
    from anabranch.code.scopes import Reference

_READS = re.compile(
    r"(?:polars|pandas|geopandas|duckdb|pyarrow\.\w+)\.(?:read_\w+|scan_\w+|ParquetFile|dataset|memory_map)"
    r"|numpy\.(?:load|loadtxt|genfromtxt|fromfile)"
)
_OPENS = frozenset({
    "open", "io.open", "os.open", "os.listdir", "os.scandir", "os.walk", "glob.glob", "glob.iglob", "gzip.open",
    "bz2.open", "lzma.open", "zipfile.ZipFile", "tarfile.open", "sqlite3.connect", "shelve.open",
})  # fmt: skip
_METHODS = frozenset({"read_text", "read_bytes", "iterdir", "glob", "rglob"})
_NAMES = frozenset({
    "source", "file", "path", "filepath_or_buffer", "io", "fname", "filename", "path_or_buf", "where", "name",
    "database", "pathname", "top",
})  # fmt: skip
"""Parameters of functions that open files, where the file is not the first argument."""

Key = tuple[str, str]


def opens(name: str) -> bool:
    """Tell whether a function opens what it is given.

    >>> opens("polars.scan_csv"), opens("polars.col")
    (True, False)
    """
    return name in _OPENS or _READS.fullmatch(name) is not None


def opened(
    found: Mapping[Key, Symbol],
    entry: Key,
    modules: Modules,
    definition: Callable[[Module, Reference], Symbol | None],
) -> list[Finding]:
    """Return the files that symbols open.

    A path that comes from a parameter of the entry is declared. One that comes from a parameter of another function
    is looked for where that function is called.

    Args:
        found: the symbols.
        entry: the function that is the step.
        modules: of the snapshot.
        definition: finds the symbol that a use names.
    """
    search = _Search(entry)
    origins = Origins(modules, definition, opens)
    frames = {key: [(each, frame(found[key], each)) for each in found[key].statements] for key in sorted(found)}
    for key, parts in frames.items():
        for statement, inside in parts:
            for path, what in _openings(statement, inside, modules, origins):
                search.note(key, origins.of(path, inside), what)
    known = -1
    while known < (known := search.size()):
        for key, parts in frames.items() if known else ():
            for reference in found[key].references:
                callee = definition(found[key].module, reference)
                wanted = search.wanted.get((callee.module.name, callee.name)) if callee else None
                if callee and wanted:
                    for origin, what in _handed(reference, found[key], callee, sorted(wanted), parts, origins):
                        search.note(key, origin, what)
    return list(search.findings)


class _Search:
    """What has been found: suspicions, and by function the parameters that it opens."""

    def __init__(self, entry: Key) -> None:
        self.findings: dict[Finding, None] = {}
        self.wanted: dict[Key, set[str]] = {}
        self._entry = entry

    def note(self, key: Key, origins: Iterable[Origin], what: str) -> None:
        for origin in sorted(origins, key=lambda each: (each.kind.value, each.text)):
            if origin.kind is not Kind.PARAMETER:
                self.findings[_finding(origin, what)] = None
            elif key != self._entry:
                self.wanted.setdefault(key, set()).add(origin.text)

    def size(self) -> int:
        return sum(map(len, self.wanted.values()))


def _finding(origin: Origin, what: str) -> Finding:
    if origin.kind is Kind.UNKNOWN:
        return Finding(impure=f"opens a file that is no port, {what}", computed=True)
    text = origin.text if "://" in origin.text else posixpath.normpath(origin.text)
    if origin.kind is Kind.BELOW:
        return Finding(impure=f"opens a file in {text}, which is no port, {what}", below=text, computed=True)
    return Finding(impure=f"opens {text}, which is no port, {what}", file=text)


def _openings(statement: ast.stmt, inside: Frame, modules: Modules, origins: Origins) -> Iterator[tuple[ast.expr, str]]:
    """Yield the expressions that name what is opened, with the call that opens it."""
    for node in ast.walk(statement):
        if not isinstance(node, ast.Call):
            continue
        reference = inside.references.get(node.func)
        name = modules.meaning(inside.module, reference) if reference else ""
        at = f"at {inside.module.file}:{node.lineno}"
        if opens(name):
            named = [keyword.value for keyword in node.keywords if keyword.arg in _NAMES]
            for path in (node.args or named)[:1]:
                yield path, at
        elif isinstance(node.func, ast.Attribute) and not name.startswith(("glob.", "polars.", "pandas.")):
            path, method = node.func.value, node.func.attr
            known = any(each.kind is not Kind.UNKNOWN for each in origins.of(path, inside))
            if method in _METHODS or (method == "open" and known):
                yield path, at


def _handed(
    reference: Reference,
    caller: Symbol,
    callee: Symbol,
    names: Iterable[str],
    parts: list[tuple[ast.stmt, Frame]],
    origins: Origins,
) -> Iterator[tuple[frozenset[Origin], str]]:
    """Yield where what a function opens comes from, where it is called."""
    call, function = reference.call, callee.statements[-1]
    what = f"by {callee.name}(), at {caller.module.file}:{getattr(reference.node, 'lineno', 0)}"
    if call is None or not isinstance(function, Function):
        if caller is not callee:
            yield UNKNOWN, what
        return
    inside = next((each for statement, each in parts if any(node is call for node in ast.walk(statement))), parts[0][1])
    for name in names:
        if path := _argument(call, function, name):
            yield origins.of(path, inside), what
        elif path := _default(function, name):
            yield origins.of(path, frame(callee, function)), what
        else:
            yield UNKNOWN, what


def _argument(call: ast.Call, function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> ast.expr | None:
    """Return what a call hands over as a parameter."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    plain = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    if name in plain and plain.index(name) < len(call.args):
        return call.args[plain.index(name)]
    if function.args.vararg is not None and function.args.vararg.arg == name:
        return ast.Tuple(call.args[len(plain) :], ast.Load())
    return None


def _default(function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> ast.expr | None:
    arguments = function.args
    plain = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
    defaults = dict(zip(reversed(plain), reversed(arguments.defaults), strict=False))
    named = {each.arg: value for each, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value}
    return defaults.get(name) or named.get(name)
