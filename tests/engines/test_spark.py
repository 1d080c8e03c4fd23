"""Spark, for real: spark-submit on this machine and on a standalone cluster, and DataFrames handed to functions."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest
from tests.platforms.attempts import Attempt, table
from tests.projects import anabranch, write

from anabranch.model.call import SparkCall
from anabranch.model.pipeline import ParamType, ValueOutput
from anabranch.model.values import Scalar
from anabranch.platforms.spark.install import find

pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java"),
    pytest.mark.skipif(find_spec("pyspark") is None, reason="pyspark is not installed"),
]

JOB = """
    import sys
    from pyspark.sql import SparkSession, functions as F
    spark = SparkSession.builder.getOrCreate()
    legs = spark.read.option("header", "true").csv(sys.argv[1])
    legs.groupBy("carrier").agg(F.count("*").alias("n")).orderBy("carrier").write.parquet(sys.argv[2])
    """
SPEC = """
    pipeline: spark
    datasets:
      legs: {{format: csv}}
      tally: {{stage: final, columns: {{carrier: string, n: int64}}, primary_key: carrier}}
      copy: {{stage: final, format: csv, columns: {{carrier: string, n: int64}}}}
    steps:
      count:
        spark: {{main: job.py, args: ["${{in.legs}}", "${{out.tally}}"], master: "{master}"}}
        reads: legs
        writes: tally
      keep: {{sql: "select * from tally order by carrier", reads: tally, writes: copy}}
    """


def project(root: Path, master: str) -> Path:
    """A Spark step, and one that reads the folder which Spark makes."""
    return write(
        root,
        {
            "anabranch.yaml": "project: s\npipelines: [s.yaml]\n",
            "data/raw/legs.csv": "carrier,delay\nAA,1\nUA,2\nAA,3\n",
            "job.py": JOB,
            "s.yaml": SPEC.format(master=master),
        },
    )


def test_an_application_runs_on_this_machine(tmp_path: Path) -> None:
    """Its output is a folder of part files, checked and published like any other, twice."""
    root = project(tmp_path, "local[2]")
    for _ in range(2):
        anabranch(root, "run")
    assert (root / "data/final/tally.parquet/_SUCCESS").exists()
    assert (root / "data/final/copy.csv").read_text() == "carrier,n\nAA,2\nUA,1\n"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """A master and a worker on loopback; only these two are ended."""
    package = find_spec("pyspark")
    assert package is not None
    assert package.origin is not None
    home = Path(package.origin).parent
    port, web, worker_web = free_port(), free_port(), free_port()
    url = f"spark://127.0.0.1:{port}"
    start = [str(home / "bin" / "spark-class"), "org.apache.spark.deploy"]
    here = ["--host", "127.0.0.1", "--webui-port"]
    commands = [
        [start[0], f"{start[1]}.master.Master", *here, str(web), "--port", str(port)],
        [start[0], f"{start[1]}.worker.Worker", *here, str(worker_web), "-d", str(tmp_path), url],
    ]
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}
    log = (tmp_path / "cluster.log").open("wb")
    processes = [subprocess.Popen(each, env=environment, stdout=log, stderr=log) for each in commands]
    deadline = time.monotonic() + 60
    while b"Registering worker" not in (tmp_path / "cluster.log").read_bytes():
        assert time.monotonic() < deadline, (tmp_path / "cluster.log").read_text()
        time.sleep(0.2)
    yield url
    for each in processes:
        each.terminate()
        each.wait()
    log.close()


def test_an_application_runs_on_a_standalone_cluster(tmp_path: Path, cluster: str) -> None:
    """The master's URL is all that changes."""
    root = project(tmp_path / "project", cluster)
    anabranch(root, "run")
    assert pl.read_parquet(root / "data/final/tally.parquet/*.parquet").sort("carrier").rows() == [("AA", 2), ("UA", 1)]
    assert "Registered app" in (tmp_path / "cluster.log").read_text()
    assert [path.name for path in tmp_path.glob("app-*/*") if path.is_dir()] == ["0"], "an executor did the work"


def test_a_function_gets_and_returns_spark_frames(tmp_path: Path) -> None:
    """By annotation, as with any other frame."""
    root = write(
        tmp_path,
        {
            "anabranch.yaml": "project: s\npipelines: ['jobs:p']\n",
            "data/raw/legs.csv": "carrier,delay\nAA,1\nUA,2\nAA,3\n",
            "jobs.py": """
                from pyspark.sql import DataFrame
                from anabranch import Dataset, pipeline, step
                legs = Dataset("legs", format="csv", columns={"carrier": "string", "delay": "int64"})
                late = Dataset("late", stage="final", columns={"carrier": "string", "delay": "int64"})
                @step(reads=legs, writes=late)
                def keep_late(legs: DataFrame) -> DataFrame:
                    return legs.where("delay > 1")
                p = pipeline("p", keep_late)
                """,
        },
    )
    anabranch(root, "run")
    assert pl.read_parquet(root / "data/final/late.parquet/*.parquet").sort("delay").rows() == [("UA", 2), ("AA", 3)]


def test_an_application_shares_the_session_of_a_driver_that_runs_already(tmp_path: Path) -> None:
    """As in a Glue job: Spark is there before the step is, and the step's process reaches it through its parent's."""
    root = project(tmp_path / "project", "local[*]")
    driver = """
        import os, sys
        os.environ["ANABRANCH_SPARK_SESSION"] = "1"
        from anabranch.app import Project
        run = Project.load(sys.argv[1]).run().run
        raise SystemExit(0 if run.state == "succeeded" else 1)
        """
    job = (root / "job.py").read_text() + "print('ran in', spark.sparkContext.appName)\n"
    write(tmp_path, {"driver.py": driver, "project/job.py": job})
    submit = find(own=False)
    name = ["--name", "the driver's", "--master", "local[1]", "--conf", "spark.ui.enabled=false"]
    home = {"SPARK_HOME": str(submit.home), "PYSPARK_DRIVER_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    done = subprocess.run(
        [str(submit.submit), *name, str(tmp_path / "driver.py"), str(root)],
        env={**os.environ, **home},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (root / "data/final/copy.csv").read_text() == "carrier,n\nAA,2\nUA,1\n"
    assert "ran in the driver's" in anabranch(root, "runs", "logs", "last", "count")


def test_a_failing_application_is_told(tmp_path: Path) -> None:
    """Exit 4; its output is in the log."""
    root = project(tmp_path, "local[1]")
    (root / "job.py").write_text("raise SystemExit('no such luck')\n")
    assert "spark-submit` exited with 1" in anabranch(root, "run", code=4)
    assert "no such luck" in anabranch(root, "runs", "logs", "last", "count")


def test_an_application_leaves_nothing_but_its_outputs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Arguments arrive as they are, a value comes back, the log can be read, no warehouse stays in the project."""
    flights, legs, evil = table("flights"), table("legs", "parquet"), "U A'$(touch pwned)"
    attempt = Attempt(tmp_path, {"flights": flights}, {"legs": legs}, params={"carrier": (ParamType.STRING, evil)})
    attempt.gives = ValueOutput(Scalar("int"))
    attempt.seed(flights, f"id,carrier\n1,{evil}\n2,AA\n")
    files = {
        "jobs/helper.py": "def keep(row, carrier): return row['carrier'] == carrier\n",
        "jobs/clean.py": """
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
            """,
    }
    write(tmp_path, files)
    call = SparkCall(
        "jobs/clean.py", ("${in.flights}", "${out.legs}", "${params.carrier}"), py_files=("jobs/helper.py",)
    )
    done = attempt.run(call)
    assert (done.value, done.reads[0].rows, done.writes[0].rows) == (1, 2, 1)
    assert {path.name for path in tmp_path.iterdir()} == {"data", "jobs", ".anabranch"}
    assert {path.name for path in (tmp_path / ".anabranch/scratch/it.1").iterdir()} == {"context.json", "value.json"}
    out, err = capfd.readouterr()
    assert "ran on local[*]" in out
    assert len(err.splitlines()) < 20, err
