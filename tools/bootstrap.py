"""Make one of the project's environments from its lock file, with nothing but Python's standard library.

    python3 tools/bootstrap.py {base,local,dev,dbt,docs,bench,emulators,airflow} [--installer auto|uv|pip]

uv installs when it is on PATH; else pip puts uv into the environment; where neither works, pip installs by
itself. Every package is checked against the hashes in `requirements/`. A stamp in the environment holds the
digest of what was installed, so that a second call returns at once.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

OLDEST_PYTHON = (3, 11)
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Environment:
    """A folder, and what is installed into it.

    Attributes:
        folder: Its name below the project's root.
        project: Whether anabranch itself is installed too, editable.
        includes: Environments of the same folder that are complete once this one is.
    """

    folder: str
    project: bool = False
    includes: tuple[str, ...] = ()


ENVIRONMENTS = {
    "base": Environment(".venv", project=True),
    "local": Environment(".venv", project=True, includes=("base",)),
    "dev": Environment(".venv", project=True, includes=("base", "local")),
    # dbt pins old releases of what our linters need, so it lives alone, as it does at most users.
    "dbt": Environment(".venv-dbt"),
    "docs": Environment(".venv-docs"),
    "bench": Environment(".venv-bench"),
    "emulators": Environment(".venv-emulators"),
    "airflow": Environment(".venv-airflow"),
}


class BootstrapError(Exception):
    """The environment cannot be made; the message says why, and what to try."""


def main(argv: list[str] | None = None) -> int:
    """Make the environment named on the command line.

    Args:
        argv: The arguments, without the program's name; those of the process by default.

    Returns:
        The exit code: 0, or 1 when the environment could not be made.
    """
    parser = argparse.ArgumentParser(description="Make one of the project's environments from its lock file.")
    parser.add_argument("name", choices=sorted(ENVIRONMENTS))
    parser.add_argument("--installer", choices=("auto", "uv", "pip"), default="auto")
    args = parser.parse_args(argv)
    try:
        check_python(sys.version_info[:2])
        make(args.name, root=ROOT, installer=args.installer)
    except BootstrapError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def check_python(version: tuple[int, ...]) -> None:
    """Refuse a Python that anabranch does not run on.

    Args:
        version: Major and minor.

    Raises:
        BootstrapError: It is older than 3.11.
    """
    if version < OLDEST_PYTHON:
        need, have = (".".join(map(str, v)) for v in (OLDEST_PYTHON, version))
        message = f"anabranch needs Python {need} or newer, and this is {have}. Try: make PYTHON=python{need}"
        raise BootstrapError(message)


def make(name: str, *, root: Path, installer: str = "auto") -> None:
    """Make the environment, or do nothing when it is there and up to date.

    Args:
        name: One of `ENVIRONMENTS`.
        root: The project's root; the environment and the lock files lie below it.
        installer: "uv", "pip", or "auto" for the best that works.

    Raises:
        BootstrapError: The virtual environment, or what it holds, could not be installed.
    """
    environment = ENVIRONMENTS[name]
    folder = root / environment.folder
    if is_current(name, folder, root):
        return
    print(f"Making {environment.folder} from requirements/{name}.txt", file=sys.stderr, flush=True)
    uv = None if installer == "pip" else shutil.which("uv")
    if not runs(python_of(folder)):
        create(folder, uv)
    forget(folder, name)
    install(name, folder, root, uv=uv, installer=installer)
    remember(folder, name, digest(name, root))


def digest(name: str, root: Path) -> str:
    """Tell what the environment should hold, in one string.

    Args:
        name: One of `ENVIRONMENTS`.
        root: The project's root.

    Returns:
        A SHA-256 over its lock file and, where the project is installed, over what pyproject says of it.
    """
    hashed = hashlib.sha256((root / "requirements" / f"{name}.txt").read_bytes())
    if ENVIRONMENTS[name].project:
        import tomllib  # not in the older Pythons that check_python refuses politely

        pyproject = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        tables = [pyproject["build-system"], pyproject["project"], str(root)]
        hashed.update(json.dumps(tables, sort_keys=True).encode())
    return hashed.hexdigest()


def is_current(name: str, folder: Path, root: Path) -> bool:
    """Tell whether the environment, or one that includes it, was installed from today's lock files.

    Args:
        name: One of `ENVIRONMENTS`.
        folder: The environment's folder.
        root: The project's root.

    Returns:
        Whether there is nothing to do.
    """
    wider = [name, *(other for other, it in ENVIRONMENTS.items() if name in it.includes)]
    stamps = read_stamps(folder)
    return runs(python_of(folder)) and any(stamps.get(each) == digest(each, root) for each in wider)


def python_of(folder: Path) -> Path:
    """Return the path of an environment's Python."""
    return folder / "bin" / "python"


def runs(python: Path) -> bool:
    """Tell whether an interpreter is there, works, and is new enough.

    Args:
        python: Its path.

    Returns:
        False too for the broken link that an upgraded or removed Python leaves behind.
    """
    code = f"import sys; sys.exit(sys.version_info[:2] < {OLDEST_PYTHON})"
    return python.exists() and subprocess.run([python, "-c", code], check=False).returncode == 0


def create(folder: Path, uv: str | None) -> None:
    """Create an empty virtual environment of this Python.

    Args:
        folder: Where; what is there is removed.
        uv: The path of uv, if there is one: it needs no ensurepip.

    Raises:
        BootstrapError: Python's venv module does not work here.
    """
    shutil.rmtree(folder, ignore_errors=True)
    if uv and succeeds([uv, "venv", "--quiet", "--python", sys.executable, str(folder)]):
        return
    if not succeeds([sys.executable, "-m", "venv", str(folder)]):
        shutil.rmtree(folder, ignore_errors=True)
        major, minor = sys.version_info[:2]
        message = (
            f"{sys.executable} cannot make a virtual environment. "
            f"Try: apt-get install python{major}.{minor}-venv (Debian, Ubuntu), or install uv"
        )
        raise BootstrapError(message)


def install(name: str, folder: Path, root: Path, *, uv: str | None, installer: str) -> None:
    """Install the lock file, then the project, with the first installer that works.

    Args:
        name: One of `ENVIRONMENTS`.
        folder: The environment's folder.
        root: The project's root.
        uv: The path of uv on PATH, if there is one.
        installer: "uv", "pip", or "auto".

    Raises:
        BootstrapError: None of them works.
    """
    python = python_of(folder)
    locks = root / "requirements"
    packages = ["--require-hashes", "-r", str(locks / f"{name}.txt")]
    steps = [packages]
    if ENVIRONMENTS[name].project:
        packages += ["-r", str(locks / "build.txt")]
        steps += [["--no-deps", "--no-build-isolation", "--editable", str(root)]]
    for candidate in ("uv", "pip") if installer == "auto" else (installer,):
        command = uv_command(python, locks, uv) if candidate == "uv" else pip_command(python)
        if command and all(succeeds([*command, *step]) for step in steps):
            return
        print(f"{candidate} could not install requirements/{name}.txt", file=sys.stderr, flush=True)
    message = f"requirements/{name}.txt could not be installed into {folder.name}: see the lines above"
    raise BootstrapError(message)


def uv_command(python: Path, locks: Path, uv: str | None) -> list[str]:
    """Return the start of a command by which uv installs into an environment.

    Args:
        python: The environment's interpreter.
        locks: The folder of lock files; uv itself is in one of them.
        uv: The path of uv on PATH, if there is one; else it is installed into the environment.

    Returns:
        The command; empty where uv has no build for this machine.
    """
    own = python.with_name("uv")
    if not uv and not own.exists():
        pip = pip_command(python)
        if not pip or not succeeds([*pip, "--require-hashes", "-r", str(locks / "uv.txt")]):
            return []
    return [uv or str(own), "pip", "install", "--quiet", "--python", str(python)]


def pip_command(python: Path) -> list[str]:
    """Return the start of a command by which pip installs into an environment.

    Args:
        python: The environment's interpreter; one made by uv gets the pip that came with Python first.

    Returns:
        The command; empty where this Python came without pip.
    """
    has_pip = [str(python), "-c", "import importlib.util, sys; sys.exit(not importlib.util.find_spec('pip'))"]
    if not succeeds(has_pip) and not succeeds([str(python), "-m", "ensurepip", "--default-pip"]):
        return []
    return [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]


def succeeds(command: list[str]) -> bool:
    """Run a command, whose output goes to standard error.

    Args:
        command: The program and its arguments.

    Returns:
        Whether it ended with exit code 0.
    """
    # A path to other packages, or an activated environment, is no business of ours.
    ours = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}}
    try:
        return subprocess.run(command, env=ours, stdout=sys.stderr, check=False).returncode == 0
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return False


def read_stamps(folder: Path) -> dict[str, str]:
    """Return the digest of each lock file installed into a folder, by environment name."""
    try:
        stamps = json.loads(stamp_path(folder).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(stamp) for name, stamp in stamps.items()} if isinstance(stamps, dict) else {}


def remember(folder: Path, name: str, stamp: str) -> None:
    """Record that an environment is complete."""
    stamps = {**read_stamps(folder), name: stamp}
    stamp_path(folder).write_text(json.dumps(stamps, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def forget(folder: Path, name: str) -> None:
    """Record that an environment is being changed: after a crash it is made anew, not believed complete."""
    stamps = {each: stamp for each, stamp in read_stamps(folder).items() if each != name}
    stamp_path(folder).write_text(json.dumps(stamps, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def stamp_path(folder: Path) -> Path:
    """Return the path of an environment's stamps."""
    return folder / "anabranch-locks.json"


if __name__ == "__main__":
    sys.exit(main())
