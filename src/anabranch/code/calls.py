"""What calls run: the code, the queries, the files and the libraries behind them."""

from __future__ import annotations

import posixpath
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from anabranch.code import processes, sql
from anabranch.code.canonical import digest
from anabranch.code.libraries import versions
from anabranch.code.parts import Fingerprint, once, together
from anabranch.code.python import SCRIPT, PythonCode
from anabranch.model import codec
from anabranch.model.call import ContainerCall, DbtCall, NativeCall, PythonCall, ShellCall, SparkCall, SqlCall

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anabranch.code.modules import Tree
    from anabranch.code.processes import Process
    from anabranch.code.python import Reached
    from anabranch.model.call import Call

_HANDED_OVER = "ANABRANCH_"
"""How the names of variables begin that are set for every step."""

_SNIPPET = "command line.py"
"""The file that Python in a command line is taken for; no module can have its name."""

_DBT_MADE = ("target/", "logs/", "dbt_packages/", "dbt_modules/")


class Calls:
    """The fingerprints of calls in one snapshot."""

    def __init__(self, tree: Tree, libraries: Mapping[str, str]) -> None:
        """Use a snapshot; see `Fingerprints`."""
        self._tree, self._libraries = tree, libraries
        self._python = PythonCode(tree)
        self._scripts: dict[tuple[str, ...], PythonCode] = {("",): self._python}
        self._names = frozenset(tree.names())
        self._inside: set[str] = set()
        self._folders = frozenset(name[:end] for name in self._names for end, at in enumerate(name) if at == "/")

    def of(self, call: Call, declared: tuple[str, ...]) -> Fingerprint:
        """Return the fingerprint of what a call runs.

        Args:
            call: of a step.
            declared: the environment variables that the step declares.
        """
        match call:
            case PythonCall(entry):
                return self._of_python(self._python.entry(entry), declared)
            case SqlCall(query, file):
                return self._of_sql(query, file)
            case ShellCall(argv, shell):
                process = processes.read_line(" ".join(argv)) if shell else processes.read(argv)
                found = self._of_process(process, declared)
                return found.with_part("call", digest(repr((argv, shell))))
            case SparkCall():
                names = [posixpath.normpath(name) for name in (call.main, *call.py_files, *call.jars)]
                given = processes.read(("", *call.args))
                process = replace(given, words=[*given.words, *names], scripts=names[: 1 + len(call.py_files)])
                found = self._of_process(process, declared)
                if names[0] not in self._names:
                    found = replace(found, impure=(f"runs {call.main}, which is not in the project", *found.impure))
                found = found.with_part("call", digest(repr(codec.encode(call, places=False))))
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
        return Fingerprint(tuple(sorted(parts.items())), once(impure), once(random))

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
                found.append(self._of_file(name, declared))
        for module in process.modules:
            if self._python.modules.file_of(module):
                found.append(self._of_reached(self._python.reach(module, SCRIPT), declared))
            elif module.partition(".")[0] not in sys.stdlib_module_names:
                found.append(Fingerprint(tuple(self._distributions(module).items())))
        for text in process.snippets:
            code = PythonCode(_With(self._tree, _SNIPPET, text.encode()))
            found.append(self._of_reached(code.reach(_SNIPPET.removesuffix(".py"), SCRIPT), declared))
        return together(found)

    def _of_file(self, name: str, declared: tuple[str, ...]) -> Fingerprint:
        """Return what a file that a process names is; a shell script is a process, too."""
        body = self._tree.read(name) or b""
        found = Fingerprint(((f"file {name}", digest(body)),))
        if name.endswith(".awk"):
            return replace(found, random=tuple(processes.chance_in(body.decode(errors="replace"))))
        if not name.endswith(".sh") or name in self._inside:
            return found
        self._inside.add(name)
        inner = self._of_process(processes.read_line(body.decode(errors="replace")), declared)
        self._inside.remove(name)
        return together([found, inner])

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
        return found.with_part(f"library {name}", self._libraries.get(name, "?"))

    def _distributions(self, module: str) -> dict[str, str]:
        found = versions(module.partition(".")[0], self._libraries)
        return {f"library {name}": version for name, version in found.items()}


class _With:
    """A snapshot with one more file."""

    def __init__(self, tree: Tree, name: str, body: bytes) -> None:
        self._tree, self._name, self._body = tree, name, body

    def names(self) -> list[str]:
        return sorted({*self._tree.names(), self._name})

    def read(self, name: str) -> bytes | None:
        return self._body if name == self._name else self._tree.read(name)
