"""What code does that no fingerprint covers: it reaches outside, or comes out differently each time."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

OUTSIDE = frozenset(
    {
        "requests", "httpx", "aiohttp", "urllib3", "urllib.request", "socket", "boto3", "botocore", "smtplib", "ftplib",
        "paramiko", "psycopg", "psycopg2", "pymysql", "subprocess", "http.client", "google.cloud", "azure", "obstore",
    }
)  # fmt: skip
"""Modules whose use reaches outside of the ports."""

OUTSIDE_CALLS = frozenset({"os.system", "os.popen", "sqlalchemy.create_engine", "fsspec.open", "fsspec.filesystem"})
UNKNOWN_CODE = frozenset({"exec", "eval", "compile", "__import__", "importlib.import_module", "runpy.run_path"})
READS = re.compile(r"^(?:polars|pandas|pyarrow\.\w+|numpy|geopandas|duckdb)\.(?:read_\w+|scan_\w+|load\w*|fromfile)$")
OPENS = frozenset({"open", "io.open", "os.listdir", "os.scandir", "os.walk", "glob.glob", "glob.iglob", "pickle.load"})
OPEN_METHODS = frozenset({"read_text", "read_bytes", "iterdir", "glob", "rglob"})
RANDOM = re.compile(
    r"^(?:time\.(?:time|time_ns|monotonic|perf_counter)|datetime\.datetime\.(?:now|utcnow|today)|datetime\.date\.today"
    r"|random\.\w+|secrets\.\w+|uuid\.uuid[14]|os\.urandom|numpy\.random\.\w+|polars\.\w*random\w*|os\.getpid)$"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One suspicion: `file` names a file of the project that is read, instead."""

    impure: str = ""
    random: str = ""
    file: str = ""
    module: str = ""


def look(  # noqa: C901, PLR0912 - one case for each kind of call
    node: ast.AST, names: dict[str, str], parameters: Collection[str], declared: Collection[str], place: str
) -> Iterator[Finding]:
    """Yield what is suspicious in a statement.

    Args:
        node: the statement.
        names: what global names mean, dotted: `{"pl": "polars"}`.
        parameters: names that the step is handed; what is opened by them is declared.
        declared: environment variables that the step declares.
        place: the file, for messages.
    """
    for each in ast.walk(node):
        if isinstance(each, ast.Subscript) and dotted(each.value, names) == "os.environ":
            yield from _variable(each.slice, declared, _at(place, each))
        if not isinstance(each, ast.Call):
            continue
        name, at = dotted(each.func, names), _at(place, each)
        if name in UNKNOWN_CODE:
            literal = _literal(each)
            if name in {"importlib.import_module", "__import__"} and literal:
                yield Finding(module=literal)
            else:
                yield Finding(impure=f"calls {name}(), whose code is not known before it runs, at {at}")
        elif name in {"os.getenv", "os.environ.get"} and each.args:
            yield from _variable(each.args[0], declared, at)
        elif name in OUTSIDE_CALLS or any(name.startswith(f"{module}.") for module in OUTSIDE):
            yield Finding(impure=f"calls {name}(), which reaches outside of its ports, at {at}")
        elif name == "getattr" and len(each.args) > 1 and not isinstance(each.args[1], ast.Constant):
            if isinstance(each.args[0], ast.Name) and each.args[0].id in names:
                yield Finding(impure=f"takes a computed name from {names[each.args[0].id]}, at {at}")
        elif RANDOM.match(name) and not _seeded(each, name):
            yield Finding(random=f"calls {name}(), at {at}")
        elif name in OPENS or READS.match(name):
            yield from _opened(each.args[:1], name, parameters, at)
        elif isinstance(each.func, ast.Attribute):
            if each.func.attr == "sample" and not _seeded(each, ""):
                yield Finding(random=f"calls .sample() without a seed, at {at}")
            elif each.func.attr in OPEN_METHODS or (each.func.attr == "open" and _is_path(each.func.value, names)):
                yield from _opened([each.func.value], f".{each.func.attr}", parameters, at)


def dotted(node: ast.AST, names: dict[str, str]) -> str:
    """Return what an expression names, with imports resolved; empty where it names nothing."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value, names)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


def _at(place: str, node: ast.AST) -> str:
    return f"{place}:{getattr(node, 'lineno', 0)}"


def _literal(call: ast.Call) -> str:
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""


def _variable(node: ast.expr, declared: Collection[str], at: str) -> Iterator[Finding]:
    name = node.value if isinstance(node, ast.Constant) else None
    if not isinstance(name, str):
        yield Finding(impure=f"reads an environment variable by a computed name, at {at}")
    elif name not in declared:
        yield Finding(impure=f"reads the environment variable {name}, which it does not declare, at {at}")


def _seeded(call: ast.Call, name: str) -> bool:
    if name in {"numpy.random.default_rng", "random.Random", "numpy.random.seed", "random.seed"}:
        return bool(call.args or call.keywords)
    return any(keyword.arg in {"seed", "random_state"} for keyword in call.keywords)


def _is_path(node: ast.expr, names: dict[str, str]) -> bool:
    return isinstance(node, ast.Call) and dotted(node.func, names) in {"pathlib.Path", "Path"}


def _opened(nodes: list[ast.expr], name: str, parameters: Collection[str], at: str) -> Iterator[Finding]:
    """Tell what is opened: a file by a literal name, a parameter of the step, or nobody knows."""
    for node in nodes:
        used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        if used & set(parameters):
            return
        texts = [
            each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)
        ]
        simple = not (used - {"Path", "pathlib", "__file__"})
        if texts and simple:
            yield Finding(file="/".join(texts), impure=f"opens {'/'.join(texts)!r}, which is no port, at {at}")
            return
    yield Finding(impure=f"opens a file that is no port, by {name}(), at {at}")
