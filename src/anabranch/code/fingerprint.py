"""Fingerprints of steps: everything that decides what a step makes, part by part, so that a change can be named."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from anabranch.code import processes, sql
from anabranch.code.canonical import digest
from anabranch.code.python import SCRIPT, PythonCode
from anabranch.model import codec
from anabranch.model.call import ContainerCall, DbtCall, NativeCall, PythonCall, ShellCall, SparkCall, SqlCall

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from anabranch.code.modules import Tree
    from anabranch.code.processes import Process
    from anabranch.code.python import Reached
    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.pipeline import Pipeline, Step

_HANDED_OVER = "ANABRANCH_"
"""How the names of variables begin that are set for every step."""

_PROGRAMS = (".awk", ".sh")
"""Files whose text may say that they differ each time."""

_SNIPPET = "command line.py"
"""The file that Python in a command line is taken for; no module can have its name."""

_DBT_MADE = ("target/", "logs/", "dbt_packages/", "dbt_modules/")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What decides what a step makes.

    Attributes:
        parts: what counts, by a name for people: `code of clean()`, `library polars`, `file sql/x.sql`, `params`.
        impure: why it cannot be resolved; such a step may have changed though its parts have not.
        random: why it may make something else each time.
    """

    parts: tuple[tuple[str, str], ...]
    impure: tuple[str, ...] = ()
    random: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """One digest of all parts."""
        return hashlib.sha256(json.dumps(self.parts).encode()).hexdigest()


def reasons(before: Fingerprint, now: Fingerprint) -> tuple[str, ...]:
    """Return what differs between two fingerprints, for people; nothing exactly when their digests are equal.

    >>> reasons(Fingerprint((("library polars", "1.0"),)), Fingerprint((("library polars", "2.1"),)))
    ('library polars 1.0 -> 2.1',)
    """
    old, new = dict(before.parts), dict(now.parts)
    found: list[str] = []
    for name in sorted({*old, *new}, key=_importance):
        if old.get(name) == new.get(name):
            continue
        if name not in old:
            found.append(f"{name} is new")
        elif name not in new:
            found.append(f"{name} is not used any more")
        elif name.startswith("library "):
            found.append(f"{name} {old[name]} -> {new[name]}")
        else:
            found.append(f"{name} changed")
    return tuple(found)


def _importance(name: str) -> tuple[int, str]:
    order = (
        "code of",
        "query",
        "file",
        "call",
        "ports",
        "contract",
        "params",
        "requirements",
        "environment",
        "library",
    )
    return next((i for i, start in enumerate(order) if name.startswith(start)), len(order)), name


class Fingerprints:
    """The fingerprints of many steps of one snapshot; what they share is looked at once."""

    def __init__(self, tree: Tree, libraries: Mapping[str, str]) -> None:
        """Use a snapshot.

        Args:
            tree: its files.
            libraries: versions of what was installed beside it, by name.
        """
        self._tree, self._libraries = tree, libraries
        self._python = PythonCode(tree)
        self._scripts: dict[tuple[str, ...], PythonCode] = {("",): self._python}
        self._entries: dict[tuple[object, ...], Fingerprint] = {}
        self._contracts: dict[int, tuple[DatasetSpec, str]] = {}
        self._names = frozenset(tree.names())
        self._folders = frozenset(posixpath.dirname(name) for name in self._names)

    def of(self, pipeline: Pipeline, step: Step) -> Fingerprint:
        """Return the fingerprint of a step."""
        call = self.of_call(step)
        parts = dict(call.parts)
        parts["ports"] = self._ports(step)
        if params := self._params(pipeline, step):
            parts["params"] = digest(repr(params))
        if step.needs.requirements:
            parts["requirements"] = digest(repr(sorted(step.needs.requirements)))
        if step.needs.env or step.needs.secrets:
            parts["environment"] = digest(repr((sorted(step.needs.env), sorted(step.needs.secrets))))
        specs = pipeline.dataset_by_name
        for name in {port.dataset for port in step.reads} | {port.dataset for port in step.outputs}:
            if name in specs:
                parts[f"contract of {name}"] = self._contract(specs[name])
        return Fingerprint(tuple(sorted(parts.items())), call.impure, call.random)

    @staticmethod
    def _ports(step: Step) -> str:
        inputs = [codec.encode(port, places=False) for port in sorted(step.inputs, key=lambda port: port.name)]
        outputs = sorted((port.name, port.dataset) for port in step.outputs)
        return digest(repr((inputs, outputs, codec.encode(step.value, places=False))))

    def _params(self, pipeline: Pipeline, step: Step) -> list[tuple[str, str, str | None, tuple[str, ...]]]:
        """Return the params that a step depends on: those that a function or a query names, all for a process."""
        names = {param.name for param in pipeline.params}
        match step.call:
            case PythonCall():
                names &= set(step.params)
            case SqlCall(query, file):
                text = (self._tree.read(file) or b"").decode(errors="replace") if file else query
                names = {name for name in names if f"${name}".lower() in text.lower()}
            case _:
                pass
        chosen = (param for param in pipeline.params if param.name in names)
        return sorted((param.name, param.type.value, param.default, param.choices) for param in chosen)

    def _contract(self, spec: DatasetSpec) -> str:
        known = self._contracts.get(id(spec))
        if known is None or known[0] is not spec:
            columns = [(column.name, column.type, column.nullable) for column in spec.columns]
            told = (
                columns,
                spec.primary_key,
                spec.format.value,
                spec.location,
                spec.partition_by,
                spec.ingestion.value,
            )
            known = self._contracts[id(spec)] = (spec, digest(repr((told, spec.incremental_field))))
        return known[1]

    def of_call(self, step: Step) -> Fingerprint:
        """Return the fingerprint of what a step runs alone: what is not in the model."""
        declared = tuple(sorted({name for name, _ in (*step.needs.env, *step.needs.secrets)}))
        key = (step.call, declared)
        if key not in self._entries:
            self._entries[key] = self._look(step, declared)
        return self._entries[key]

    def _look(self, step: Step, declared: tuple[str, ...]) -> Fingerprint:
        call = step.call
        match call:
            case PythonCall(entry):
                return self._of_python(self._python.entry(entry), declared)
            case SqlCall(query, file):
                return self._of_sql(query, file)
            case ShellCall(argv, shell):
                found = self._of_process(processes.read(argv, shell=shell), declared)
                return _with(found, "call", digest(repr((argv, shell))))
            case SparkCall():
                names = [posixpath.normpath(name) for name in (call.main, *call.py_files, *call.jars)]
                given = processes.read(("", *call.args), shell=False)
                process = replace(given, words=[*given.words, *names], scripts=names[: 1 + len(call.py_files)])
                found = self._of_process(process, declared)
                if names[0] not in self._names:
                    found = replace(found, impure=(f"runs {call.main}, which is not in the project", *found.impure))
                found = _with(found, "call", digest(repr(codec.encode(call, places=False))))
                return self._with_library(found, "pyspark")
            case DbtCall():
                return self._of_dbt(call)
            case ContainerCall(image, _):
                impure = () if "@sha256:" in image else (f"the image {image} has no digest, so it may change",)
                return Fingerprint((("call", digest(repr(codec.encode(call, places=False)))),), impure)
            case NativeCall(platform, job, _):
                why = (f"the job {job} is defined on {platform}, and not in this project",)
                return Fingerprint((("call", digest(repr(codec.encode(call, places=False)))),), why)

    def _of_python(self, reached: Reached, declared: tuple[str, ...]) -> Fingerprint:
        parts = {f"code of {name}": text for name, text in reached.code.items()}
        impure, random = [*reached.broken], list[str]()
        for finding in reached.findings:
            if finding.file or finding.below:
                files = self._files(finding.file) or self._files(finding.below)
                parts |= files
                impure += [] if files else [finding.impure]
            elif finding.variable in declared or finding.variable.startswith(_HANDED_OVER):
                pass
            elif finding.impure:
                impure.append(finding.impure)
            else:
                random.append(finding.random)
        for name in sorted(reached.libraries):
            parts |= self._distributions(name)
        return Fingerprint(tuple(sorted(parts.items())), _once(impure), _once(random))

    def _files(self, name: str) -> dict[str, str]:
        """Return the part of a file of the project, or of all files in a folder of it."""
        found = [name] if name in self._names else [each for each in self._tree.names() if each.startswith(f"{name}/")]
        return {f"file {each}": digest(self._tree.read(each) or b"") for each in (found if name else [])}

    def _of_sql(self, query: str, file: str) -> Fingerprint:
        part = f"file {file}" if file else "query"
        impure: list[str] = []
        if file:
            body = self._tree.read(file)
            if body is None:
                impure.append(f"the query {file} is not in the project")
            query = (body or b"").decode(errors="backslashreplace")
        read = sql.read(query)
        found = Fingerprint(((part, digest(read.canonical)),), (*impure, *read.impure), read.random)
        return self._with_library(found, "duckdb")

    def _of_dbt(self, call: DbtCall) -> Fingerprint:
        project = posixpath.normpath(call.project)
        folder = "" if project == "." else f"{project}/"
        inside = [name for name in self._tree.names() if name.startswith(folder)]
        files = [name for name in inside if not name[len(folder) :].startswith(_DBT_MADE)]
        parts = {f"file {name}": digest(self._tree.read(name) or b"") for name in files}
        # What dbt selects follows from its project.
        parts["call"] = digest(repr(codec.encode(replace(call, models=()), places=False)))
        parts |= {f"library {name}": self._libraries[name] for name in self._libraries if name.startswith("dbt-")}
        missing = (f"there is no dbt project in {project}",) if f"{folder}dbt_project.yml" not in self._names else ()
        return Fingerprint(tuple(sorted(parts.items())), missing)

    def _of_process(self, process: Process, declared: tuple[str, ...]) -> Fingerprint:
        found = [Fingerprint((), tuple(process.impure), tuple(process.random))]
        scripts = {posixpath.normpath(each) for each in process.scripts}
        for name in processes.named_files(process.words, self._names, self._folders):
            if name.endswith(".py"):
                found.append(self._of_script(name, declared))
            if not (name.endswith(".py") and name in scripts):
                body = self._tree.read(name) or b""
                chance = processes.chance_in(body.decode(errors="replace")) if name.endswith(_PROGRAMS) else []
                found.append(Fingerprint(((f"file {name}", digest(body)),), (), tuple(chance)))
        for module in process.modules:
            if self._python.modules.file_of(module):
                found.append(self._of_reached(self._python.reach(module, SCRIPT), declared))
            elif module.partition(".")[0] not in sys.stdlib_module_names:
                found.append(Fingerprint(tuple(self._distributions(module.partition(".")[0]).items())))
        for text in process.snippets:
            code = PythonCode(_With(self._tree, _SNIPPET, text.encode()))
            found.append(self._of_reached(code.reach(_SNIPPET.removesuffix(".py"), SCRIPT), declared))
        return _together(found)

    def _of_script(self, name: str, declared: tuple[str, ...]) -> Fingerprint:
        """Return what running a file is; its folder comes first where it looks for modules."""
        folder, _, file = name.rpartition("/")
        roots = (f"{folder}/", "") if folder else ("",)
        if roots not in self._scripts:
            self._scripts[roots] = PythonCode(self._tree, roots)
        return self._of_reached(self._scripts[roots].reach(file.removesuffix(".py"), SCRIPT), declared)

    def _of_reached(self, reached: Reached, declared: tuple[str, ...]) -> Fingerprint:
        """Return what a script is, from what it reaches."""
        # A process takes its ports from its arguments and variables, so a path that it computes is one of them.
        findings = [each for each in reached.findings if not each.computed or each.below]
        return self._of_python(replace(reached, findings=findings), declared)

    def _with_library(self, found: Fingerprint, name: str) -> Fingerprint:
        return _with(found, f"library {name}", self._libraries.get(name, "?"))

    def _distributions(self, module: str) -> dict[str, str]:
        """Return the parts of the distributions that a top-level module is of, with their versions."""
        name = _normal(module)
        names = [name] if name in self._libraries else [_normal(each) for each in _packages().get(module, [name])]
        return {f"library {each}": self._libraries.get(each, "?") for each in names}


_PACKAGES: dict[str, list[str]] = {}


def _packages() -> Mapping[str, list[str]]:
    """Return distributions by top-level module; it takes a tenth of a second, once."""
    if not _PACKAGES:
        from importlib.metadata import packages_distributions

        _PACKAGES.update(packages_distributions())
    return _PACKAGES


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _with(found: Fingerprint, name: str, value: str) -> Fingerprint:
    return Fingerprint(tuple(sorted({**dict(found.parts), name: value}.items())), found.impure, found.random)


def _together(found: Iterable[Fingerprint]) -> Fingerprint:
    parts: dict[str, str] = {}
    impure: list[str] = []
    random: list[str] = []
    for each in found:
        parts |= dict(each.parts)
        impure += each.impure
        random += each.random
    return Fingerprint(tuple(sorted(parts.items())), _once(impure), _once(random))


class _With:
    """A snapshot with one more file."""

    def __init__(self, tree: Tree, name: str, body: bytes) -> None:
        self._tree, self._name, self._body = tree, name, body

    def names(self) -> list[str]:
        return sorted({*self._tree.names(), self._name})

    def read(self, name: str) -> bytes | None:
        return self._body if name == self._name else self._tree.read(name)


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
