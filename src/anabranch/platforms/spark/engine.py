"""Runs a Spark application as a step: spark-submit, on this machine or on a master."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.model.errors import StepError
from anabranch.platforms.process.context import prepare
from anabranch.platforms.process.start import start
from anabranch.platforms.process.values import returned
from anabranch.ports import Result

if TYPE_CHECKING:
    from anabranch.model.call import SparkCall
    from anabranch.model.task import Task
    from anabranch.platforms.process.context import Context
    from anabranch.ports import Staging


class SparkEngine:
    """The `Engine` of `SparkCall`."""

    def run(self, call: SparkCall, task: Task, staging: Staging) -> Result:
        """Submit the application and wait for it. Its outputs are folders of part files.

        Raises:
            StepError: `not-installed`, or as of `start`.
        """
        context = prepare(task, staging)
        submit, home = find_submit()
        argv = command(submit, call, context)
        environment = dict(context.environment)
        if home:
            environment.setdefault("SPARK_HOME", home)
        environment.setdefault("PYSPARK_PYTHON", sys.executable)
        environment.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
        if _is_here(call.master):
            environment.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        start(argv, folder=Path(task.root), environment=environment)
        return Result(returned(context, task))


def _is_here(master: str) -> bool:
    return master.startswith("local") or "//127.0.0.1" in master or "//localhost" in master


def command(submit: str, call: SparkCall, context: Context) -> list[str]:
    """Return the command line of spark-submit."""
    conf = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
    if _is_here(call.master):
        conf |= {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
    conf |= {name: context.fill(value) for name, value in call.conf}
    argv = [submit, "--master", call.master]
    for name, value in conf.items():
        argv += ["--conf", f"{name}={value}"]
    if call.main_class:
        argv += ["--class", call.main_class]
    if call.py_files:
        argv += ["--py-files", ",".join(call.py_files)]
    if call.jars:
        argv += ["--jars", ",".join(call.jars)]
    return [*argv, call.main, *(context.fill(each) for each in call.args)]


def find_submit() -> tuple[str, str]:
    """Return spark-submit and the Spark home that belongs to it, which is empty where it finds its own.

    Looked for below SPARK_HOME, beside this Python, in the pyspark package, and on the PATH.

    Raises:
        StepError: `not-installed`.
    """
    home = os.environ.get("SPARK_HOME", "")
    if home and (Path(home) / "bin" / "spark-submit").exists():
        submit = str(Path(home) / "bin" / "spark-submit")
    else:
        package = find_spec("pyspark")
        home = str(Path(package.origin).parent) if package is not None and package.origin else ""
        inside = Path(home) / "bin" / "spark-submit" if home else None
        submit = str(inside) if inside is not None and inside.exists() else shutil.which("spark-submit") or ""
    if not submit:
        message = "spark-submit is not installed"
        raise StepError(message, code="not-installed", hint="pip install 'anabranch[spark]', or set SPARK_HOME")
    if not os.environ.get("JAVA_HOME") and shutil.which("java") is None:
        message = "Spark needs Java, which is not installed"
        raise StepError(message, code="not-installed", hint="install a Java runtime, or set JAVA_HOME")
    return submit, home
