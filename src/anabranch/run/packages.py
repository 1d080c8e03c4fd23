"""Packages for machines that install nothing themselves: a zip for each set of requirements, always the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.model.errors import StepError
from anabranch.run.envs import find_uv, package_of

if TYPE_CHECKING:
    from collections.abc import Sequence

PLATFORM = "x86_64-manylinux_2_28"
"""What wheels are chosen for."""

OURS = ("msgspec", "obstore", "duckdb", "pyarrow")
"""What our own code needs beside a step, at the versions that are installed here."""

FRAMES = ("polars",)
"""What steps get besides that have no requirements of their own."""

LONGEST = 80
"""Characters of the packages that are told on one line."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
_TOLD = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})
"""What installers write of themselves."""


def shipped() -> list[str]:
    """Return what a step without requirements finds: names with versions."""
    return [f"{name}=={version(name)}" for name in sorted({*OURS, *FRAMES})]


def packages(
    requirements: Sequence[str], python: str, cache: Path, steps: Sequence[str] = (), asked: str = ""
) -> bytes:
    """Return a zip of what a step needs, with our own code's needs: made once, then kept.

    Args:
        requirements: the step's, locked; none for a step that takes what our own environment has.
        python: the version to build for, such as `3.12`.
        cache: where the zips are kept, by what they were made of.
        steps: whose requirements they are, for people.
        asked: the requirements as they were written, for people: few of what is locked.

    Raises:
        StepError: `requirements-not-installable`, with the installer's last lines; `no-distribution`.
    """
    named = {package_of(each) for each in requirements}
    extra = [name for name in (*OURS, *(() if requirements else FRAMES)) if name not in named]
    wanted = sorted([*requirements, *(f"{name}=={version(name)}" for name in extra)])
    key = hashlib.sha256(json.dumps([wanted, python, PLATFORM]).encode()).hexdigest()[:24]
    made = cache / f"{key}.zip"
    if not made.exists():
        cache.mkdir(parents=True, exist_ok=True)
        sys.stderr.write(f"packing {_told(wanted, python, asked)}\n")
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            site = Path(folder) / "site"
            if said := _install(wanted, python, site):
                whose = f", which {', '.join(f'`{step}`' for step in steps)} require" if steps else ""
                message = f"not to be had on {PLATFORM}: {_told(wanted, python, asked)}{whose}\n{said}"
                hint = "each must have a wheel; look at the names, the versions, and the network"
                raise StepError(message, code="requirements-not-installable", hint=hint)
            fresh = Path(folder) / "made.zip"
            _zip(site, fresh)
            fresh.replace(made)
    return made.read_bytes()


def _told(wanted: Sequence[str], python: str, asked: str) -> str:
    """Return how many packages there are, and some of them: first, those that were asked for.

    >>> _told(["agate==1.9.1", "dbt-core==1.11.16", "pytz==2026.1"], "3.12", "dbt-core==1.11.*")
    '3 packages for Python 3.12 (dbt-core==1.11.16 and 2 more)'
    """
    named = {package_of(each) for each in re.findall(r"(?:^|, )([A-Za-z0-9][\w.-]*)", asked)}
    shown = [each for each in wanted if package_of(each) in named] or [*wanted]
    while len(", ".join(shown)) > LONGEST:
        shown.pop()
    more = len(wanted) - len(shown)
    some = " and ".join(filter(None, [", ".join(shown), f"{more} more" if more else ""]))
    return f"{len(wanted)} package{'s' * (len(wanted) != 1)} for Python {python} ({some})"


def _install(wanted: Sequence[str], python: str, site: Path) -> str:
    """Install packages in a folder; return the installer's last lines where it cannot."""
    if uv := find_uv():
        command = [uv, "pip", "install", "--quiet", "--no-config", "--only-binary", ":all:", "--target", str(site)]
        command += ["--python-version", python, "--python-platform", PLATFORM, "--", *wanted]
    else:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--target"]
        command += [str(site), "--only-binary=:all:", "--python-version", python, "--implementation", "cp"]
        command += [word for tag in ("manylinux_2_28", "manylinux2014") for word in ("--platform", f"{tag}_x86_64")]
        command += ["--", *wanted]
    # What the project's own environment says of itself is not true of another machine.
    ours = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}}
    done = subprocess.run(command, env=ours, capture_output=True, text=True, errors="replace", check=False)
    if not done.returncode:
        return ""
    said = (done.stderr or done.stdout).strip() or f"it exits with {done.returncode}"
    return "\n".join(said.splitlines()[-12:])


def _zip(site: Path, target: Path) -> None:
    """Zip a folder: when it was installed says nothing about what is in it."""
    # A package of tests is of no use there; a folder of that name may be: dbt keeps templates in one.
    tests = {path.parent for path in site.rglob("tests/__init__.py")}
    with zipfile.ZipFile(target, "w") as file:
        for path in sorted(site.rglob("*")):
            name = path.relative_to(site)
            if path.is_dir() or name.name in _TOLD or name.parts[0] == "bin" or "__pycache__" in name.parts:
                continue
            if any(site / parent in tests for parent in name.parents):
                continue
            entry = zipfile.ZipInfo(name.as_posix(), _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever it is built
            entry.external_attr = 0o100644 << 16
            file.writestr(entry, path.read_bytes(), compresslevel=1)
