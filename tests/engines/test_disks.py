"""Real disks that are full or read-only: a clear error, and nothing half-written."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.projects import anabranch, write

FILES = {
    "anabranch.yaml": "project: p\npipelines: [p.yaml]\n",
    "p.yaml": """
        pipeline: p
        params: {n: {type: int, default: 3}}
        datasets: {big: {stage: final, format: csv}, copy: {stage: final, format: csv}}
        steps:
          make: {sql: "select i, hash(i) as h from range($n) t(i)", writes: big}
          again: {shell: "cp ${in.big} ${out.copy}", reads: big, writes: copy}
        """,
}


def mount(target: Path, *options: str) -> None:
    """Mount something, or skip where that is not allowed."""
    target.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", *options, str(target)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A project whose storage is a disk of 1 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    root = write(tmp_path, FILES)
    mount(root / "data", "-t", "tmpfs", "-o", "size=1m", "tmpfs")
    yield root
    subprocess.run(["umount", str(root / "data")], check=True)


def test_a_full_disk_is_said_and_leaves_what_was_there(small_disk: Path) -> None:
    """The old output stays, the half-written one goes, and a retry on a freed disk works."""
    anabranch(small_disk, "run")
    before = (small_disk / "data/final/big.csv").read_bytes()
    told = anabranch(small_disk, "run", "-p", "n=200000", code=4)
    assert "disk-full" in told, told
    assert "free some space" in told
    assert (small_disk / "data/final/big.csv").read_bytes() == before
    anabranch(small_disk, "run", "-p", "n=1000")
    assert not list((small_disk / "data/_anabranch/staging").rglob("*.csv"))


def test_a_read_only_storage_is_said(tmp_path: Path) -> None:
    """Nothing else happens to it."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a read-only disk")
    root = write(tmp_path, FILES)
    (root / "data").mkdir()
    mount(root / "data", "-t", "tmpfs", "-o", "ro", "tmpfs")
    try:
        told = anabranch(root, "run", code=4)
        assert "storage-read-only" in told, told
    finally:
        subprocess.run(["umount", str(root / "data")], check=True)


def test_a_read_only_project_is_said(tmp_path: Path) -> None:
    """The store cannot be written: exit 1, with the folder."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a read-only disk")
    root = write(tmp_path, FILES)
    (root / ".anabranch").mkdir()
    mount(root / ".anabranch", "-t", "tmpfs", "-o", "ro", "tmpfs")
    try:
        told = anabranch(root, "run", code=None)
        assert "make" in told, told
        assert "writable" in told, told
        assert "Traceback" not in told, told
    finally:
        subprocess.run(["umount", str(root / ".anabranch")], check=True)


def test_a_store_on_a_full_disk_is_said(tmp_path: Path) -> None:
    """No event can be kept, so nothing runs on unseen."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    root = write(tmp_path, FILES)
    mount(root / ".anabranch", "-t", "tmpfs", "-o", "size=64k", "tmpfs")
    try:
        told = anabranch(root, "run", code=None)
        assert "Traceback" not in told, told
        assert "full" in told or "space" in told, told
    finally:
        subprocess.run(["umount", str(root / ".anabranch")], check=True)
