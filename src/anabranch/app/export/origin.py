"""Where a run is from: its project, its storage, and the commit of its code, where that is known for certain."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from anabranch.model.export import Origin, Repository

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anabranch.app.project import Project
    from anabranch.model.pipeline import Pipeline

_PATIENCE = 10.0
_SSH = re.compile(r"^(?:ssh://)?[^/@]+@([^:/]+)(?::\d+/|[:/])(.+)$")


def origin_of(project: Project, pipeline: Pipeline, storage: Path, *, current: bool) -> Origin:
    """Return where a run is from.

    Args:
        project: whose it is.
        pipeline: as the run started with it.
        storage: the root of what it writes.
        current: whether its code is the project's as it is now.
    """
    found = repository(project.root, project.no_code) if current else None
    return Origin(project.name, pipeline, project.shown(storage), project.where, found)


def repository(root: Path, without: Sequence[Path] = ()) -> Repository | None:
    """Return the repository of a project whose code is committed; None when it is not, or where nobody can look it up.

    Args:
        root: the project's.
        without: files and folders that are no code, such as the storage.
    """
    inside = [f":(exclude){path.relative_to(root)}" for path in without if path.is_relative_to(root)]
    if _git(root, "--no-optional-locks", "status", "--porcelain", "--", ".", *inside) != "":
        return None
    commit, remote = _git(root, "rev-parse", "HEAD"), _git(root, "remote", "get-url", "origin")
    folder = _git(root, "rev-parse", "--show-prefix")
    url = web_url(remote or "")
    return Repository(url, commit, (folder or "").rstrip("/")) if commit and url else None


def web_url(remote: str) -> str:
    """Return where people read a repository, from where git gets it; without any login. Empty where that is not known.

    >>> web_url("git@github.com:team/flights.git")
    'https://github.com/team/flights'
    >>> web_url("https://me:token@gitlab.com/team/flights.git")
    'https://gitlab.com/team/flights'
    >>> web_url("/srv/git/flights")
    ''
    """
    if match := _SSH.match(remote):
        return f"https://{match[1]}/{match[2].removesuffix('.git')}"
    parts = urlsplit(remote)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        return ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.removesuffix('.git').rstrip('/')}"


def _git(root: Path, *words: str) -> str | None:
    command: Sequence[str] = ["git", "-C", str(root), *words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
