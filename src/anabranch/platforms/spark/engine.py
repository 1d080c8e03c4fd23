"""Runs a Spark application as a step: spark-submit, on this machine or on a master."""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.model.task import SESSION
from anabranch.platforms.process.context import prepare
from anabranch.platforms.process.start import start
from anabranch.platforms.process.values import returned
from anabranch.platforms.spark.install import find
from anabranch.ports import Result

if TYPE_CHECKING:
    from anabranch.model.call import SparkCall
    from anabranch.model.task import Task
    from anabranch.platforms.process.context import Context
    from anabranch.platforms.spark.install import Install
    from anabranch.ports import Staging

_LOOPBACK = "127.0.0.1"


class SparkEngine:
    """The `Engine` of `SparkCall`."""

    def run(self, call: SparkCall, task: Task, staging: Staging) -> Result:
        """Submit the application and wait for it. Its outputs are folders of part files.

        Where a platform has started Spark already, the application runs in a process that shares its session. On a
        cluster the workers must see the project's storage at the same path, or, where it is in a bucket, its URL.

        Raises:
            StepError: `not-installed`, or as of `start` and `returned`.
        """
        context = prepare(task, staging)
        if SESSION in os.environ:
            argv = [sys.executable, call.main, *(context.fill(each) for each in call.args)]
            start(argv, folder=Path(task.root), environment=context.environment, name=call.main)
            return Result(returned(context, task))
        install = find(own=bool(task.step.needs.requirements))
        scratch = Path(task.scratch) / "spark"
        argv = command(install, call, context, settings(call, install, scratch, f"{task.pipeline}.{task.step.id}"))
        try:
            environment = {**context.environment, **variables(call, install, scratch)}
            start(argv, folder=Path(task.root), environment=environment, name="spark-submit")
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return Result(returned(context, task))


def is_here(master: str) -> bool:
    """Tell whether a master is on this machine.

    >>> is_here("local[*]"), is_here("spark://127.0.0.1:7077"), is_here("spark://10.0.0.2:7077"), is_here("yarn")
    (True, True, False, False)
    """
    if re.fullmatch(r"local(\[.*\])?", master):
        return True
    hosts = [part.rpartition(":")[0].strip("[]") for part in master.partition("://")[2].split(",")]
    return all(host == "localhost" or _is_loopback(host) for host in hosts)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def settings(call: SparkCall, install: Install, scratch: Path, name: str) -> dict[str, str]:
    """Return what we set where neither the step, nor the user's `spark-defaults.conf`, says otherwise.

    The log has warnings only, nothing opens a port to the network on a laptop, and nothing is left in the project.
    """
    ours = {"spark.app.name": name, "spark.log.level": "WARN", "spark.ui.showConsoleProgress": "false"}
    if is_here(call.master):
        ours |= {"spark.driver.bindAddress": _LOOPBACK, "spark.driver.host": _LOOPBACK, "spark.ui.enabled": "false"}
        ours["spark.sql.warehouse.dir"] = str(scratch / "warehouse")
    said = _said(call, install)
    return {key: value for key, value in ours.items() if key not in said}


def _said(call: SparkCall, install: Install) -> set[str]:
    return {*install.defaults, *(key for key, _ in call.conf)}


def variables(call: SparkCall, install: Install, scratch: Path) -> dict[str, str]:
    """Return the environment variables that Spark needs, where the user has not set them."""
    ours = {"PYSPARK_DRIVER_PYTHON": str(install.python)}
    if install.home is not None:
        ours["SPARK_HOME"] = str(install.home)
    if is_here(call.master):
        ours |= {"PYSPARK_PYTHON": str(install.python), "SPARK_LOCAL_IP": _LOOPBACK}
        if "spark.local.dir" not in _said(call, install):
            ours["SPARK_LOCAL_DIRS"] = str(scratch / "local")
    return {key: value for key, value in ours.items() if key not in os.environ}


def command(install: Install, call: SparkCall, context: Context, ours: dict[str, str]) -> list[str]:
    """Return the command line of spark-submit."""
    argv = [str(install.submit), "--master", call.master]
    for name, value in (*ours.items(), *((name, context.fill(text)) for name, text in call.conf)):
        argv += ["--conf", f"{name}={value}"]
    if call.main_class:
        argv += ["--class", call.main_class]
    if call.py_files:
        argv += ["--py-files", ",".join(call.py_files)]
    if call.jars:
        argv += ["--jars", ",".join(call.jars)]
    return [*argv, call.main, *(context.fill(each) for each in call.args)]
