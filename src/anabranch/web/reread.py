"""The project as its files are now, read in a process of its own: code that was imported once is never imported anew.

python -m anabranch.web.reread FOLDER
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from anabranch.app import Project
from anabranch.frontends.project import read_project
from anabranch.model import codec
from anabranch.model.dataset import DatasetSpec
from anabranch.model.errors import AnabranchError, InvalidProject
from anabranch.show import shapes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PATIENCE = 60.0
"""Seconds that reading a project may take."""

SUFFIXES = (".py", ".yaml", ".yml", ".sql", ".json", ".csv", ".lock")
SKIPPED = frozenset({"node_modules", "__pycache__", "site-packages"})
MOST = 5000
"""Files that are looked at."""


def signature(root: Path, without: Sequence[Path]) -> int:
    """Return what changes whenever a file does that may say how a pipeline is.

    Args:
        root: of the project.
        without: folders that hold data.
    """
    return hash(tuple(_files(str(root), {str(path) for path in without})))


def _files(root: str, without: set[str]) -> Iterator[tuple[str, int, int]]:
    waiting, seen = [root], 0
    while waiting and seen < MOST:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue
        for entry in sorted(entries, key=lambda each: each.name):
            if entry.name.startswith(".") or entry.name in SKIPPED or entry.path in without:
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            elif entry.name.endswith(SUFFIXES):
                seen += 1
                try:
                    stat = entry.stat()
                except OSError:
                    continue
                yield entry.path, stat.st_mtime_ns, stat.st_size


def reread(root: Path) -> Project:
    """Return the project as it is written now; its pipelines come from a child.

    Raises:
        InvalidProject: with what is wrong.
        AnabranchError: what else the child raised.
    """
    from anabranch.web.child import raised

    file = read_project(root)
    command = [sys.executable, "-m", "anabranch.web.reread", str(root)]
    try:
        done = subprocess.run(
            command, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False
        )
        told: dict[str, Any] = json.loads(done.stdout.strip().rpartition(b"\n")[2])
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise AnabranchError("the project's files cannot be read now", hint="anabranch check") from error
    if "diagnostics" in told:
        raise raised(told)
    pipelines = {each["pipeline"]["name"]: codec.load(each) for each in told["pipelines"]}
    datasets = [codec.decode(DatasetSpec, each) for each in told["datasets"]]
    return Project(file, pipelines, {spec.name: spec for spec in datasets})


def main(root: str) -> None:
    """Write the project's pipelines and datasets to stdout, or what is wrong with them."""
    try:
        project = Project.load(root, defer=True)
    except InvalidProject as error:
        told = shapes.error(error.diagnostics, error.exit_code)
    except AnabranchError as error:
        from anabranch.web.failure import diagnostics_of

        told = shapes.error(diagnostics_of(error), error.exit_code)
    else:
        told = {
            "pipelines": [codec.dump(each) for each in project.pipelines.values()],
            "datasets": [codec.encode(spec) for spec in project.datasets.values()],
        }
    sys.stdout.write("\n" + json.dumps(told) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
