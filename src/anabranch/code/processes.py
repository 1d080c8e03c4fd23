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

_CHANCE = frozenset({"date", "shuf", "uuidgen"})
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
def read(argv: tuple[str, ...]) -> Process:
    """Return what a command with its arguments does."""
    made = Process()
    for text in argv:
        made.random += chance_in(text)
    _read_command(made, [HOLE.sub("", text) for text in argv], "")
    return made


@lru_cache(100_000)
def read_line(line: str) -> Process:
    """Return what a command line does."""
    made = Process(random=chance_in(line))
    _read_line(made, line, "")
    return made


def chance_in(text: str) -> list[str]:
    """Return why a program of awk or of a shell may differ each time."""
    return [f"uses {match[0].strip('${(')}" for match in _RANDOM.finditer(text)]


def _read_line(made: Process, line: str, folder: str) -> None:
    for command in commands(line):
        _read_command(made, command.words, folder)
        for path in command.reads:
            _name(made, path, folder)
        if command.words[:1] == ["cd"] and len(command.words) > 1:
            folder = posixpath.join(folder, command.words[1])


def _read_command(made: Process, words: list[str], folder: str) -> None:
    """Note what one command does; what it runs in turn is a command, too."""
    name = words[0].rpartition("/")[2] if words else ""
    is_python = _PYTHON.fullmatch(name) is not None
    made.impure += _outside(words if name in _STARTERS else words[:1])
    made.random += _chance(name, words)
    if name in _SHELLS and "-c" in words[:-1]:
        _read_line(made, words[words.index("-c") + 1], folder)
        return
    if name in _STARTERS:
        inner = next((at for at, word in enumerate(words[1:], 1) if _starts(word)), len(words))
        _read_command(made, words[inner:], folder)
    if is_python:
        _read_python(made, words[1:], folder)
    elif name.endswith(".py"):
        made.scripts.append(posixpath.join(folder, words[0]))
    program = next((at for at, word in enumerate(words) if at and not word.startswith("-")), 0)
    start = 1 if is_python or name in _SHELLS else 0
    for at, word in enumerate(words[start:], start):
        _name(made, word, folder, program=name in _PROGRAMS and 0 < at == program)


def _outside(words: list[str]) -> list[str]:
    tools = dict.fromkeys(each.rpartition("/")[2] for each in words)
    return [f"runs {tool}, which reaches outside of its ports" for tool in tools if tool in TOOLS]


def _chance(name: str, words: list[str]) -> list[str]:
    dated = name == "date" and any(word.startswith(_DATED) for word in words[1:])
    return [f"runs {name}"] if name in _CHANCE and not dated else []


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
            # A word alone may be anything; one with a `/` may be a folder.
            made.words.append(posixpath.normpath(posixpath.join(folder, text)) + ("/" if "/" in text else ""))


def named_files(words: Iterable[str], names: frozenset[str], folders: frozenset[str]) -> list[str]:
    """Return the files of the project that words name, and those in folders that they name as paths."""
    found: set[str] = set()
    for word in words:
        path = word.rstrip("/")
        if path in names:
            found.add(path)
        elif word != path and path in folders:
            found |= {name for name in names if name.startswith(f"{path}/")}
    return sorted(found)
