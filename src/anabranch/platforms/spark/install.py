"""Where Spark is on this machine, and the Python and Java that it runs with."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.model.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MISSING = "pip install 'anabranch[spark]', name pyspark in the step's requirements, or set SPARK_HOME"


@dataclass(frozen=True)
class Install:
    """A Spark. `home` is its folder, or None where the command finds it by itself; `python` is the driver's."""

    submit: Path
    home: Path | None
    python: Path

    @property
    def defaults(self) -> frozenset[str]:
        """Names of the settings that its administrator, or the user, made in `spark-defaults.conf`."""
        folder = os.environ.get("SPARK_CONF_DIR") or (self.home / "conf" if self.home else None)
        try:
            text = Path(folder or os.devnull, "spark-defaults.conf").read_text(encoding="utf-8")
        except OSError:
            return frozenset()
        lines = (line.replace("=", " ").split() for line in text.splitlines())
        return frozenset(words[0] for words in lines if words and not words[0].startswith("#"))


def find(*, own: bool = False) -> Install:
    """Return the Spark to use.

    It is looked for in the step's own environment, below SPARK_HOME, on the PATH, beside this Python, and in the
    pyspark package.

    Args:
        own: whether the step has requirements, so that its own environment is the first on the PATH.

    Raises:
        StepError: `not-installed`, Spark or Java is not here.
    """
    python = Path(os.environ["VIRTUAL_ENV"], "bin", "python") if own else Path(sys.executable)
    submit = next((path for path in _candidates(own=own) if os.access(path, os.X_OK)), None)
    if submit is None:
        raise StepError("spark-submit is not installed", code="not-installed", hint=_MISSING)
    _require_java()
    return Install(submit, _home(submit), python)


def _candidates(*, own: bool) -> Iterator[Path]:
    if own:
        yield Path(os.environ["VIRTUAL_ENV"], "bin", "spark-submit")
    if home := os.environ.get("SPARK_HOME"):
        submit = Path(home, "bin", "spark-submit")
        if not submit.exists():
            message = f"SPARK_HOME is {home}, where there is no bin/spark-submit"
            raise StepError(message, code="not-installed", hint="correct or unset SPARK_HOME")
        yield submit
    if found := shutil.which("spark-submit"):
        yield Path(found).resolve()
    yield Path(sys.executable).with_name("spark-submit")
    package = find_spec("pyspark")
    if package is not None and package.origin:
        yield Path(package.origin).with_name("bin") / "spark-submit"


def _home(submit: Path) -> Path | None:
    above = submit.parent.parent
    inside = sorted(above.glob("lib*/python*/site-packages/pyspark"))  # pip puts its commands beside Python
    return next((path for path in (above, *inside) if (path / "jars").is_dir()), None)


def _require_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if home and not os.access(Path(home, "bin", "java"), os.X_OK):
        message = f"JAVA_HOME is {home}, where there is no bin/java"
        raise StepError(message, code="not-installed", hint="correct or unset JAVA_HOME")
    if not home and shutil.which("java") is None:
        message = "Spark needs Java, which is not installed"
        hint = "install a Java runtime, such as Debian's default-jre-headless, or set JAVA_HOME"
        raise StepError(message, code="not-installed", hint=hint)
