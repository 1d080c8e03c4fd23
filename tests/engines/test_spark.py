"""Spark itself, on this machine and on a standalone cluster of a master and a worker."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.platforms.attempts import Attempt, table

from anabranch.model.call import SparkCall
from anabranch.model.pipeline import ParamType, ValueOutput
from anabranch.model.values import Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("pyspark") is None, reason="pyspark is not installed"),
    pytest.mark.skipif(
        shutil.which("java") is None and "JAVA_HOME" not in os.environ, reason="Java is not installed: Spark needs it"
    ),
]

FLIGHTS, LEGS = table("flights"), table("legs", "parquet")
JOB = """
import json, os, sys
from pyspark.sql import SparkSession
from helper import keep

read, write, carrier = sys.argv[1:]
spark = SparkSession.builder.getOrCreate()
frame = spark.read.csv(read, header=True).rdd.filter(lambda row: keep(row, carrier)).toDF()
frame.write.parquet(write)
frame.write.saveAsTable("managed")
print("ran on", spark.sparkContext.master)
with open(os.environ["ANABRANCH_OUT_VALUE"], "w") as file:
    json.dump(frame.count(), file)
spark.stop()
"""
CALL = SparkCall(
    "jobs/clean.py",
    ("${in.flights}", "${out.legs}", "${params.carrier}"),
    conf=(("spark.executor.memory", "512m"), ("spark.sql.shuffle.partitions", "2")),
    py_files=("jobs/helper.py",),
)


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    evil = (ParamType.STRING, "U A'$(touch pwned)\"")
    made = Attempt(tmp_path, {"flights": FLIGHTS}, {"legs": LEGS}, params={"carrier": evil})
    made.gives = ValueOutput(Scalar("int"))
    made.seed(FLIGHTS, 'id,carrier\n1,U A\'$(touch pwned)""\n2,AA\n'.replace('""', '"'))
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs/clean.py").write_text(JOB)
    (tmp_path / "jobs/helper.py").write_text("def keep(row, carrier): return row['carrier'] == carrier\n")
    return made


def left(root: Path) -> set[str]:
    """What lies in the project besides its data."""
    return {path.name for path in root.iterdir()} | {path.name for path in (root / ".anabranch/scratch/it.1").iterdir()}


def test_an_application_runs_here_and_leaves_nothing_else(attempt: Attempt, capfd: pytest.CaptureFixture[str]) -> None:
    """Its folder of part files is published, its log can be read, and no warehouse stays in the project."""
    done = attempt.run(CALL)
    assert (done.value, done.reads[0].rows, done.writes[0].rows) == (1, 2, 1)
    assert list((attempt.storage / "raw/legs.parquet").glob("part-*.parquet"))
    assert left(attempt.root) == {"data", "jobs", ".anabranch", "context.json", "value.json"}
    out, err = capfd.readouterr()
    assert "ran on local[*]" in out
    assert len(err.splitlines()) < 20


def test_a_failing_application_publishes_nothing(attempt: Attempt, capfd: pytest.CaptureFixture[str]) -> None:
    (attempt.root / "jobs/helper.py").write_text("def keep(row, carrier): return 1 / 0\n")
    failure = attempt.fail(CALL)
    assert failure.message == "`spark-submit` exited with 1"
    assert "ZeroDivisionError" in capfd.readouterr().err


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def wait_for(text: str, log: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a log says so, for a minute at most."""
    deadline = time.monotonic() + 60
    while text not in log.read_text(errors="replace"):
        assert process.poll() is None, log.read_text(errors="replace")
        assert time.monotonic() < deadline, log.read_text(errors="replace")
        time.sleep(0.1)


@pytest.fixture
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A master's URL, and the folder where its worker keeps what it ran."""
    folder = tmp_path_factory.mktemp("cluster")
    spec = find_spec("pyspark")
    assert spec is not None
    assert spec.origin is not None
    home = Path(spec.origin).parent
    port = free_port()
    url = f"spark://127.0.0.1:{port}"
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}
    environment |= {"PYSPARK_PYTHON": sys.executable, "SPARK_WORKER_DIR": str(folder / "work")}
    parts = {
        "master.Master": (["--port", str(port)], "I have been elected leader"),
        "worker.Worker": (["--cores", "1", "--memory", "1g", url], "Successfully registered with master"),
    }
    started: list[subprocess.Popen[bytes]] = []
    try:
        for name, (arguments, ready) in parts.items():
            argv = [str(home / "bin/spark-class"), f"org.apache.spark.deploy.{name}", "--host", "127.0.0.1"]
            log = folder / f"{name}.log"
            with log.open("wb") as file:
                process = subprocess.Popen(
                    [*argv, "--webui-port", "0", *arguments], env=environment, stdout=file, stderr=file, cwd=folder
                )
            started.append(process)
            wait_for(ready, log, process)
        yield url, folder / "work"
    finally:
        for process in reversed(started):
            process.terminate()
        for process in reversed(started):
            process.wait(timeout=30)


def test_an_application_runs_on_a_cluster(
    attempt: Attempt, master: tuple[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    """The worker's executor does the work, and what it writes is published as from here."""
    url, work = master
    done = attempt.run(SparkCall(CALL.main, CALL.args, url, CALL.conf, "", CALL.py_files))
    assert (done.value, done.writes[0].rows) == (1, 1)
    assert f"ran on {url}" in capfd.readouterr().out
    assert [path.name for path in work.glob("app-*/*") if path.is_dir()] == ["0"]
