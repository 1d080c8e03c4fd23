"""Snapshots of code: complete, small, and never half there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from anabranch.model.errors import NotFoundError
from anabranch.store.code import LIBRARIES, CodeStore

if TYPE_CHECKING:
    from pathlib import Path


def project(root: Path) -> CodeStore:
    """A project with code, data and things to leave out."""
    for name, text in {
        "steps.py": "print(1)\n",
        "sql/q.sql": "select 1\n",
        "data/raw/x.csv": "a\n",
        ".venv/lib.py": "",
        "env/pyvenv.cfg": "",
        "env/lib.py": "",
        "pkg/__pycache__/x.pyc": "",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    return CodeStore(root, root / ".anabranch" / "code", [root / "data"])


def test_a_snapshot_comes_back_as_it_was(tmp_path: Path) -> None:
    """Code with its modes; neither data nor environments nor caches."""
    store = project(tmp_path)
    tree = store.materialise(store.snapshot())
    found = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file())
    assert found == ["run.sh", "sql/q.sql", "steps.py"]
    assert (tree / "run.sh").stat().st_mode & 0o111
    assert (tree / "steps.py").read_text() == "print(1)\n"


def test_equal_code_has_one_digest_and_a_change_another(tmp_path: Path) -> None:
    """Touching a file changes nothing; writing it does, and the old code is still there."""
    store = project(tmp_path)
    first = store.snapshot()
    (tmp_path / "steps.py").write_text("print(1)\n")
    assert store.snapshot() == first
    (tmp_path / "steps.py").write_text("print(2)\n")
    second = store.snapshot()
    assert second != first
    assert (store.materialise(first) / "steps.py").read_text() == "print(1)\n"
    assert "-print(1)\n+print(2)" in store.diff(first, second)
    assert store.diff(second, second) == ""


def test_added_removed_and_binary_files_are_told(tmp_path: Path) -> None:
    """A diff never fails on what is no text."""
    store = project(tmp_path)
    first = store.snapshot()
    (tmp_path / "new.py").write_text("x\n")
    (tmp_path / "steps.py").unlink()
    (tmp_path / "logo.bin").write_bytes(b"\xff\xfe\x00")
    told = store.diff(first, store.snapshot())
    assert "+++ b/new.py" in told
    assert "--- a/steps.py" in told
    assert "binary file logo.bin changed" in told


def test_code_that_is_gone_is_said(tmp_path: Path) -> None:
    """With another way to go on."""
    with pytest.raises(NotFoundError) as caught:
        project(tmp_path).materialise("0" * 64)
    assert "current" in caught.value.hint


def test_two_clones_of_one_state_have_one_digest(tmp_path: Path) -> None:
    """Other folders, times, and umasks; only whether the owner may execute a file is its content."""
    digests = []
    for name, modes, when in (
        ("one", (0o644, 0o755), 1),
        ("deep/other", (0o600, 0o700), 2),
        ("third", (0o664, 0o775), 3),
    ):
        root = tmp_path / name
        root.mkdir(parents=True)
        for file, mode in zip(("a.py", "run.sh"), modes, strict=True):
            (root / file).write_text(file)
            (root / file).chmod(mode)
            os.utime(root / file, (when, when))
        digests.append(CodeStore(root, tmp_path / f"kept{when}").snapshot())
    assert len(set(digests)) == 1
    (tmp_path / "one" / "run.sh").chmod(0o644)
    assert CodeStore(tmp_path / "one", tmp_path / "kept1").snapshot() != digests[0]


def test_code_that_was_deployed_elsewhere_is_kept_if_it_is_what_it_is_said_to_be(tmp_path: Path) -> None:
    there = project(tmp_path / "there")
    digest = there.snapshot()
    tree = there.tree(digest)
    files = [(name, tree.read(name) or b"", tree.executable(name)) for name in tree.names()]
    libraries = (tree.read(LIBRARIES) or b"").decode()
    here = CodeStore(tmp_path, tmp_path / "here")
    assert not here.adopt(digest, files[1:], libraries)
    assert not here.has(digest)
    assert here.adopt(digest, files, libraries)
    assert here.tree(digest).libraries() == tree.libraries()
    assert not here.diff(digest, digest)
