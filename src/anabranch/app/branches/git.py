"""The git branch that work is on."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from anabranch.model.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

VARIABLES = ("GITHUB_HEAD_REF", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_BRANCH", "BITBUCKET_BRANCH")
"""Where CI systems name it: they check out a commit, not a branch.

Source: https://docs.github.com/actions/reference/workflows-and-actions/variables,
https://docs.gitlab.com/ci/variables/predefined_variables/
"""

TRUNKS = frozenset({"main", "master", "trunk"})


def current(root: Path) -> str:
    """Return the name of the git branch.

    Raises:
        UsageError: `no-git-branch`, there is none, or it is the trunk.
    """
    name = next(filter(None, (os.environ.get(each, "") for each in VARIABLES)), "") or _checked_out(root)
    hint = "git switch -c my-change, or give a NAME"
    if not name or name == "HEAD":
        raise UsageError("no git branch is checked out here", code="no-git-branch", hint=hint)
    if name in TRUNKS:
        raise UsageError(f"the git branch `{name}` is what others leave", code="no-git-branch", hint=hint)
    return name


def _checked_out(root: Path) -> str:
    command = ["git", "-C", str(root), "symbolic-ref", "--quiet", "--short", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""
