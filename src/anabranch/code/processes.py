"""Processes: the files of the project that their arguments name, and what their command lines do besides."""

from __future__ import annotations

import re
import shlex
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TOOLS = frozenset(
    {
        "curl", "wget", "ssh", "scp", "sftp", "rsync", "aws", "gsutil", "gcloud", "bq", "az", "azcopy", "psql", "mysql",
        "sqlite3", "mongosh", "redis-cli", "nc", "ftp", "git", "kubectl", "docker", "snowsql", "databricks",
    }
)  # fmt: skip
"""Commands that reach outside of the ports."""

_HOLE = re.compile(r"\$?\$\{(?:in|out|params)\.[^}]*\}")
_RANDOM = re.compile(r"\$RANDOM\b|\brand\(|\bsrand\(|\bsystime\(|\$\(\s*date\b|`\s*date\b")
_CHANCE = frozenset({"date", "shuf", "uuidgen"})
_HARMLESS = ("/dev/null", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/tmp/", "/bin/", "/usr/")  # noqa: S108
_PATH = re.compile(r"^/[\w.@-]+/[\w.@/-]+$")


def words(text: str) -> list[str]:
    """Return the words of a command line, as near as they can be told without a shell."""
    bare = _HOLE.sub(" ", text)
    try:
        found = shlex.split(bare, comments=True)
    except ValueError:
        found = bare.split()
    return [part for word in found for part in re.split(r"[;|&<>()\s]+", word) if part]


def named_files(texts: Iterable[str], names: frozenset[str], *, shell: bool) -> list[str]:
    """Return the files of the project that words name; an argument is one word, or ends in one after `=`."""
    found = {word for text in texts for word in (text, *(words(text) if shell else text.split("=")[1:]))}
    return sorted({word.removeprefix("./") for word in found} & names)


@lru_cache(100_000)  # two snapshots have most of their commands in common
def suspicions(texts: tuple[str, ...], *, shell: bool) -> tuple[tuple[str, str], ...]:
    """Return why a command reaches outside of its ports (first), or may differ each time (second)."""
    return tuple(_suspicions(texts, shell=shell))


def _suspicions(texts: Iterable[str], *, shell: bool) -> Iterator[tuple[str, str]]:
    for position, text in enumerate(texts):
        found = words(text) if shell else [text]
        for word in found:
            name = word.rpartition("/")[2]
            if name in TOOLS and (shell or position == 0):
                yield f"runs {name}, which reaches outside of its ports", ""
            elif name in _CHANCE and (shell or position == 0):
                yield "", f"runs {name}"
            elif _PATH.match(word) and not word.startswith(_HARMLESS) and position:
                yield f"names {word}, which is no port", ""
        if match := _RANDOM.search(text):
            yield "", f"uses {match[0].strip('(`$ ')}"
