"""Processes: what their command lines run and name, and what reaches outside of their ports."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from anabranch.code.shell import HOLE, commands

if TYPE_CHECKING:
    from collections.abc import Iterable

TOOLS = frozenset(
    {
        "curl", "wget", "ssh", "scp", "sftp", "rsync", "aws", "gsutil", "gcloud", "bq", "az", "azcopy", "psql", "mysql",
        "sqlite3", "mongosh", "redis-cli", "nc", "ftp", "git", "kubectl", "docker", "snowsql", "databricks",
    }
)  # fmt: skip
"""Commands that reach outside of the ports."""

_STARTERS = frozenset(
    {"xargs", "sudo", "env", "nohup", "time", "timeout", "nice", "exec", "command", "find", "parallel"}
)
"""Commands that run a command which they are given."""

_SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ksh"})
_PROGRAMS = frozenset({"awk", "gawk", "mawk", "sed", "grep", "egrep", "perl", "jq"})
"""Commands whose first argument is a program, however much it looks like a path."""

_PYTHON = re.compile(r"python[\d.]*|pypy[\d.]*")
_WITH_VALUE = frozenset({"-X", "-W"})
_DATED = ("-d", "--date", "-r", "--reference", "-j")
_RANDOM = re.compile(r"\$\{?RANDOM\b|\bs?rand\(|\bsystime\(")
_HARMLESS = ("/dev/null", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/fd/", "/tmp/", "/bin/", "/usr/")  # noqa: S108
_PATH = re.compile(r"~?/[\w.@-]+(?:/[\w.@-]+)*/?|(?:\.\./)+[\w.@/-]*")


@dataclass(slots=True)
class Process:
    """What a command line does.

    Attributes:
        words: what may name files, relative to where the process starts.
        scripts: those of them that Python runs.
        modules: that Python runs.
        snippets: Python that is written in the command line.
        impure: why it reaches outside of its ports.
        random: why it may differ each time.
    """

    words: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)
    snippets: list[str] = field(default_factory=list)
    impure: list[str] = field(default_factory=list)
    random: list[str] = field(default_factory=list)


@lru_cache(100_000)  # two snapshots have most of their commands in common
def read(argv: tuple[str, ...], *, shell: bool) -> Process:
    """Return what a command does; `argv` is one command line with `shell`."""
    made = Process()
    for text in argv:
        made.random += [f"uses {match[0].strip('${(')}" for match in _RANDOM.finditer(text)]
    if shell:
        _read_line(made, argv[0] if argv else "", "")
    else:
        _read_command(made, [HOLE.sub("", text) for text in argv], "")
    return made


def chance_in(text: str) -> list[str]:
    """Return why a program of awk or of a shell, in a file, may differ each time."""
    return [f"uses {match[0].strip('${(')}" for match in _RANDOM.finditer(text)]


def _read_line(made: Process, line: str, folder: str) -> None:
    for command in commands(line):
        _read_command(made, command.words, folder)
        for path in command.reads:
            _name(made, path, folder)
        if command.words[:1] == ["cd"] and len(command.words) > 1:
            folder = posixpath.join(folder, command.words[1])


def _read_command(made: Process, words: list[str], folder: str) -> None:
    if not words:
        return
    name = words[0].rpartition("/")[2]
    candidates = words if name in _STARTERS else words[:1]
    for tool in dict.fromkeys(each.rpartition("/")[2] for each in candidates):
        if tool in TOOLS:
            made.impure.append(f"runs {tool}, which reaches outside of its ports")
    if name in {"shuf", "uuidgen"} or (name == "date" and not any(word.startswith(_DATED) for word in words[1:])):
        made.random.append(f"runs {name}")
    if name in _SHELLS and "-c" in words[:-1]:
        _read_line(made, words[words.index("-c") + 1], folder)
        return
    if name in _STARTERS:
        inner = next((at for at, word in enumerate(words[1:], 1) if _starts(word)), 0)
        if inner:
            _read_command(made, words[inner:], folder)
    if _PYTHON.fullmatch(name):
        _read_python(made, words[1:], folder)
    elif words[0].endswith(".py"):
        made.scripts.append(posixpath.join(folder, words[0]))
    program = (
        next((at for at, word in enumerate(words[1:], 1) if not word.startswith("-")), 0) if name in _PROGRAMS else 0
    )
    for at, word in enumerate(words):
        if not (at == 0 and (_PYTHON.fullmatch(name) or name in _SHELLS)):
            _name(made, word, folder, program=at == program and program > 0)


def _starts(word: str) -> bool:
    """Tell whether a word, given to a command that runs others, is a command whose arguments tell something."""
    name = word.rpartition("/")[2]
    return name in _SHELLS or name.endswith(".py") or _PYTHON.fullmatch(name) is not None


def _read_python(made: Process, arguments: list[str], folder: str) -> None:
    """Note what Python is told to run."""
    rest = iter(arguments)
    for word in rest:
        if word in _WITH_VALUE:
            next(rest, "")
        elif word == "-c":
            made.snippets.append(next(rest, ""))
            return
        elif word == "-m":
            made.modules.append(next(rest, ""))
            return
        elif not word.startswith("-"):
            made.scripts.append(posixpath.join(folder, word))
            return


def _name(made: Process, word: str, folder: str, *, program: bool = False) -> None:
    """Note the files that a word may name: it, what comes after `=`, or what comes after a short option."""
    for text in (word, word.partition("=")[2], word[2:] if re.match(r"-\w", word) else ""):
        if not text:
            continue
        if _PATH.fullmatch(text) and not text.startswith(_HARMLESS) and not program:
            made.impure.append(f"names {text}, which is no port")
        elif not text.startswith("/"):
            made.words.append(posixpath.normpath(posixpath.join(folder, text)))


def named_files(words: Iterable[str], names: frozenset[str], folders: frozenset[str]) -> list[str]:
    """Return the files of the project that words name, and those in folders that they name as paths."""
    found: set[str] = set()
    for word in words:
        if word in names:
            found.add(word)
        elif "/" in word and word in folders:
            found |= {name for name in names if name.startswith(f"{word}/")}
    return sorted(found)
