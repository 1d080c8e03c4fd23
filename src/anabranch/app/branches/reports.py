"""The last deltas of each branch are kept, so that whoever looks next need not compare again."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING
from uuid import uuid4

from anabranch.model import codec
from anabranch.model.delta import Report

if TYPE_CHECKING:
    from pathlib import Path

    from anabranch.app.branches import Branches
    from anabranch.model.branch import Branch


def keep(branches: Branches, branch: Branch, report: Report) -> None:
    """Keep the report of a branch."""
    path = _path(branches, branch)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{uuid4().hex}")
    fresh.write_text(json.dumps(codec.encode(report)), encoding="utf-8")
    os.replace(fresh, path)  # noqa: PTH105 - whoever reads finds one or the other


def kept(branches: Branches, branch: Branch) -> Report | None:
    """Return the last report of a branch; None when nobody has compared it, or an older version of us did."""
    try:
        return codec.decode(Report, json.loads(_path(branches, branch).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def forget(branches: Branches, branch: Branch) -> None:
    """Delete the report of a branch."""
    _path(branches, branch).unlink(missing_ok=True)


def _path(branches: Branches, branch: Branch) -> Path:
    return branches.project.folder / "reports" / f"{branch.slug}.json"
