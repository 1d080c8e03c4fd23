"""What code does that no fingerprint covers: it reaches outside, or comes out differently each time."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.code.modules import Module, Modules
    from anabranch.code.python import Symbol
    from anabranch.code.scopes import Reference

OUTSIDE = (
    "requests.", "httpx.", "aiohttp.", "urllib3.", "urllib.request.", "socket.", "boto3.", "botocore.", "smtplib.",
    "ftplib.", "paramiko.", "psycopg.", "psycopg2.", "pymysql.", "subprocess.", "http.client.", "google.cloud.",
    "azure.", "obstore.", "asyncpg.", "pymongo.", "redis.", "s3fs.", "gcsfs.", "fsspec.",
)  # fmt: skip
"""Modules whose use reaches outside of the ports."""

OUTSIDE_CALLS = frozenset({"os.system", "os.popen", "sqlalchemy.create_engine", "asyncio.create_subprocess_exec"})
UNKNOWN_CODE = frozenset({"exec", "eval", "compile", "runpy.run_path", "runpy.run_module", "globals"})
BY_NAME = frozenset({"__import__", "importlib.import_module"})
RANDOM = re.compile(
    r"(?:time\.(?:time|time_ns|monotonic|perf_counter)|datetime\.datetime\.(?:now|utcnow|today)|datetime\.date\.today"
    r"|pandas\.Timestamp\.(?:now|utcnow|today)|random\.\w+|secrets\.\w+|uuid\.uuid[14]|os\.urandom|numpy\.random\.\w+"
    r"|os\.getpid)"
)
SEEDED = frozenset({
    "numpy.random.default_rng", "numpy.random.RandomState", "numpy.random.seed", "random.Random", "random.seed",
})  # fmt: skip
"""What is not random when it is given a seed."""

METHODS = frozenset({"sample", "shuffle"})
"""Methods of frames that need a seed."""

_SETS = frozenset({"os.environ.update", "os.environ.clear"})
_GETS = frozenset({"os.getenv", "os.environ.get", "os.environ.setdefault", "os.environ.pop", "os.environ.__getitem__"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One suspicion: why something is impure, or random.

    Attributes:
        impure: why; with `variable` or `file`, only if that is not declared, or not of the project.
        random: why.
        variable: an environment variable that is read.
        file: a file that is read, relative to the project's root.
        below: a folder of which any file may be read.
        computed: the file's name is computed.
    """

    impure: str = ""
    random: str = ""
    variable: str = ""
    file: str = ""
    below: str = ""
    computed: bool = False


def look(symbol: Symbol, modules: Modules) -> Iterator[Finding]:
    """Yield what is suspicious in a symbol's code; what it opens is for `origins` to tell."""
    module, told = symbol.module, set[ast.AST]()
    for reference in symbol.references:
        name, at = modules.meaning(module, reference), _at(module, reference.node)
        if not name or reference.told:
            continue
        found = list(_of_name(name, reference, at))
        if not found and name == "getattr":
            found = list(_getattr(symbol, reference, modules, at))
        if found and reference.call:
            told.add(reference.call)
        yield from found
        if name == "os.environ":
            yield from _environment(symbol, reference.node, at)
    for statement in symbol.statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and node not in told and isinstance(node.func, ast.Attribute):
                name = node.func.attr
                if name in METHODS and not _seeded(node, ""):
                    yield Finding(random=f"calls .{name}() without a seed, at {_at(module, node)}")


def imported_by_name(reference: Reference, module: Module, modules: Modules) -> str:
    """Return the module that a call imports by a literal name; empty for any other use."""
    if reference.call is None or modules.meaning(module, reference) not in BY_NAME:
        return ""
    name = _literal(reference.call)
    if not name.startswith("."):
        return name
    parts = module.package.split(".")
    level = len(name) - len(name.lstrip("."))
    return ".".join([*parts[: len(parts) - level + 1], name.lstrip(".")])


def _of_name(name: str, reference: Reference, at: str) -> Iterator[Finding]:
    call = reference.call
    if call is None and not name.rpartition(".")[2].islower():
        return  # a class or a constant that is not called
    what = f"calls {name}()" if call else f"uses {name}"
    if name in UNKNOWN_CODE:
        yield Finding(impure=f"{what}, whose code is not known before it runs, at {at}")
    elif name in BY_NAME:
        if call is None or not _literal(call):
            yield Finding(impure=f"imports a module by a computed name, at {at}")
    elif name in OUTSIDE_CALLS or name.startswith(OUTSIDE):
        yield Finding(impure=f"{what}, which reaches outside of its ports, at {at}")
    elif name in _GETS and call is not None and call.args:
        yield _variable(call.args[0], at)
    elif name in _GETS or (name.startswith(("os.environ.", "os.path.expandvars")) and name not in _SETS):
        yield Finding(impure=f"reads all environment variables, at {at}")
    elif RANDOM.fullmatch(name) and not (name in SEEDED and call is not None and _seeded(call, name)):
        yield Finding(random=f"{what}, at {at}")


def _getattr(symbol: Symbol, reference: Reference, modules: Modules, at: str) -> Iterator[Finding]:
    call = reference.call
    if call is None or len(call.args) < 2 or isinstance(call.args[1], ast.Constant):  # noqa: PLR2004 - name, default
        return
    for other in symbol.references:
        bound = other.bound or symbol.module.imports.get(other.chain[0])
        if other.node is call.args[0] and bound is not None:
            chain = ".".join([bound.dotted, *other.chain[1:]])
            if chain == bound.module or modules.file_of(chain):
                yield Finding(impure=f"takes a computed name from {chain}, at {at}")


def _environment(symbol: Symbol, node: ast.expr, at: str) -> Iterator[Finding]:
    """Tell which variable a use of `os.environ` reads; setting one is no matter."""
    for statement in symbol.statements:
        for parent in ast.walk(statement):
            match parent:
                case ast.Subscript(value=value, ctx=ctx) if value is node:
                    if isinstance(ctx, ast.Load):
                        yield _variable(parent.slice, at)
                    return
                case ast.Compare(left=left, ops=[ast.In() | ast.NotIn()], comparators=[value]) if value is node:
                    yield _variable(left, at)
                    return
                case _:
                    pass
    yield Finding(impure=f"reads all environment variables, at {at}")


def _variable(node: ast.expr, at: str) -> Finding:
    name = node.value if isinstance(node, ast.Constant) else None
    if not isinstance(name, str):
        return Finding(impure=f"reads a variable by a computed name, at {at}")
    return Finding(impure=f"reads the variable {name}, which it does not declare, at {at}", variable=name)


def _seeded(call: ast.Call, name: str) -> bool:
    if name in SEEDED:
        return bool(call.args or call.keywords)
    return any(keyword.arg in {"seed", "random_state"} for keyword in call.keywords)


def _literal(call: ast.Call) -> str:
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""


def _at(module: Module, node: ast.AST) -> str:
    return f"{module.file}:{getattr(node, 'lineno', 0)}"
