"""requirements/: pinned, hashed, and free of any registry's or machine's address."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import bootstrap

LOCKS = sorted((bootstrap.ROOT / "requirements").glob("*.txt"))
PIN = re.compile(r"(?P<name>[a-z0-9.-]+)==(?P<version>\S+)(?: ; (?P<marker>[^\\]+))? \\")


def pins(lock: Path) -> dict[str, str]:
    """Return version by package and marker."""
    found = (PIN.fullmatch(line) for line in lock.read_text(encoding="utf-8").splitlines())
    return {f"{pin['name']} {pin['marker'] or ''}".strip(): pin["version"] for pin in found if pin}


def test_every_environment_has_a_lock_file() -> None:
    assert {lock.stem for lock in LOCKS} == {*bootstrap.ENVIRONMENTS, "build", "uv"}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_package_is_pinned_and_hashed(lock: Path) -> None:
    lines = lock.read_text(encoding="utf-8").splitlines()
    code = [line for line in lines if line and not line.strip().startswith("#")]
    packages = [line for line in code if not line.startswith(" ")]
    assert packages
    assert [line for line in packages if not PIN.fullmatch(line)] == []
    hashes = [line for line in code if line.startswith(" ")]
    assert [line for line in hashes if not re.fullmatch(r" {4}--hash=sha256:[0-9a-f]{64}(?: \\)?", line)] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_no_lock_file_names_an_address_or_a_machine(lock: Path) -> None:
    assert not re.search(r"://|index-url|find-links|(?<![\w.])/\w+/", lock.read_text(encoding="utf-8"))


@pytest.mark.parametrize("narrow", ["base", "local"])
def test_environments_that_share_a_folder_agree_on_versions(narrow: str) -> None:
    wide = pins(bootstrap.ROOT / "requirements" / "dev.txt")
    assert pins(bootstrap.ROOT / "requirements" / f"{narrow}.txt").items() <= wide.items()
