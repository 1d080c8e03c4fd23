"""Spark steps on Glue: applications and functions that read and write S3 themselves, published when all is whole."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.conformance.both import OnAws, Told, in_order

from anabranch.data.objects.store import objects
from anabranch.model.pipeline import StepId

if TYPE_CHECKING:
    from collections.abc import Generator

    from anabranch.model.run import Run

pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="Glue 5.0 has Python 3.11"),
]

SPEC = """
pipeline: heavy
params: {times: {type: int, default: 2}, fail: {default: "no"}}
datasets:
  doubled: {stage: cleaned, columns: {id: int64, n: int64}, primary_key: id}
  parts: {stage: cleaned, partition_by: odd}
  framed: {stage: final, format: csv}
  fresh: {stage: final, primary_key: id}
steps:
  double:
    spark: {main: jobs/double.py, args: ["${in.numbers}", "${out.doubled}", "${params.times}", "${params.fail}"]}
    reads: numbers
    writes: doubled
    retry: {attempts: 2, delay: 0}
  part:
    spark: {main: jobs/part.py}
    reads: doubled
    writes: parts
    resources: {workers: 3}
  frame: {python: 'frames:frame', reads: parts, writes: framed}
  keep:
    spark: {main: jobs/keep.py, args: ["${in.arrivals}", "${out.fresh}"]}
    reads: arrivals
    writes: fresh
"""
DOUBLE = """
import sys
from pyspark.sql import SparkSession, functions as F
spark = SparkSession.builder.getOrCreate()
source, target, times, fail = sys.argv[1:]
rows = spark.read.option("header", "true").csv(source, schema="id long, n long")
rows = rows.withColumn("n", F.col("n") * int(times))
if fail == "twice":
    rows = rows.union(rows)
rows.repartition(3).write.parquet(target)
if fail == "late":
    raise SystemExit("it failed after it had written")
"""
PART = """
import os
from pyspark.sql import SparkSession, functions as F
spark = SparkSession.builder.getOrCreate()
rows = spark.read.parquet(os.environ["ANABRANCH_IN_DOUBLED"]).withColumn("odd", F.col("id") % 2)
rows.write.partitionBy("odd").parquet(os.environ["ANABRANCH_OUT_PARTS"])
"""
KEEP = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
spark.read.option("header", "true").csv(sys.argv[1], schema="id long, n long").write.parquet(sys.argv[2])
"""
FRAMES = """
from pyspark.sql import DataFrame, functions as F


def frame(parts: DataFrame) -> DataFrame:
    return parts.groupBy("odd").agg(F.count("*").alias("rows"), F.sum("n").alias("n")).orderBy("odd")
"""


@pytest.fixture(scope="module")
def heavy(tmp_path_factory: pytest.TempPathFactory, cloud: str) -> Generator[OnAws]:  # noqa: ARG001 - it is seen
    folder = tmp_path_factory.mktemp("heavy")
    settings = {"glue": "5.0", "poll": 1}
    found = OnAws(folder, "heavy", aws_more=settings, engines={"python": "glue"})
    for each in (folder / "project" / "pipelines").iterdir():
        each.unlink()
    (folder / "project" / "pipelines" / "heavy.yaml").write_text(SPEC)
    (folder / "project" / "frames.py").write_text(FRAMES)
    (folder / "project" / "jobs").mkdir()
    for name, text in (("double", DOUBLE), ("part", PART), ("keep", KEEP)):
        (folder / "project" / "jobs" / f"{name}.py").write_text(text)
    deployment = found.project.deployment("real")
    deployment.apply(lambda _: None)
    yield found
    deployment.apply(lambda _: None, destroy=True)


def run(found: OnAws, **params: Any) -> Run:
    """Run it on AWS, with two more arrivals: of no rows Sail writes no file, where Spark writes one without rows."""
    told = Told()
    found.arrived = getattr(found, "arrived", 1) + 2  # type: ignore[attr-defined]
    found.write("arrivals", range(found.arrived))  # type: ignore[attr-defined]
    done = found.project.remote("real").run(found.project.pipeline("heavy"), params, None, told)
    in_order(found.project, done, told)
    return done


def staged(found: OnAws) -> list[str]:
    return [key for key in objects(found.storage).list("") if "/staging/" in key]


def rows(run: Run) -> dict[str, tuple[dict[str, int | None], dict[str, int | None]]]:
    return {
        step.step: ({port.dataset: port.rows for port in step.reads}, {port.dataset: port.rows for port in step.writes})
        for step in run.steps
    }


def test_spark_steps_mean_on_glue_what_they_mean_here(heavy: OnAws) -> None:
    """Applications and functions; folders of parts, partitions, CSV made of a frame, new rows only."""
    done = run(heavy)
    assert done.state == "succeeded", [step.failure for step in done.steps]
    assert rows(done) == {
        "double": ({"numbers": 7}, {"doubled": 7}),
        "part": ({"doubled": 7}, {"parts": 7}),
        "frame": ({"parts": 7}, {"framed": 2}),
        "keep": ({"arrivals": 3}, {"fresh": 3}),
    }
    assert all(port.version for step in done.steps for port in (*step.reads, *step.writes))
    stored = heavy.datasets()
    assert stored["final/framed.csv"].decode() == "odd,rows,n\n0,4,72\n1,3,54\n"
    assert {key.split("/")[2] for key in stored if key.startswith("cleaned/parts.parquet/")} >= {"odd=0", "odd=1"}
    assert staged(heavy) == []
    again = run(heavy)
    assert rows(again)["keep"] == ({"arrivals": 2}, {"fresh": 2})
    assert again.step_by_id[StepId("keep")].writes[0].bytes != done.step_by_id[StepId("keep")].writes[0].bytes


@pytest.mark.parametrize(
    "fail, kind, code, attempts",
    [("late", "error", "step-failed", 2), ("twice", "contract", "duplicate-key", 1)],
)
def test_what_failed_after_it_had_written_publishes_nothing(
    heavy: OnAws, fail: str, kind: str, code: str, attempts: int
) -> None:
    """Neither half an output nor one that breaks its contract; and only the first is tried again."""
    before = {key: body for key, body in heavy.datasets().items() if key.startswith("cleaned/")}
    done = run(heavy, fail=fail, times=5)
    told = done.step_by_id[StepId("double")]
    assert told.failure is not None
    assert (told.failure.kind, told.failure.code, told.attempts) == (kind, code, attempts)
    assert done.step_by_id[StepId("part")].state == "skipped"
    assert done.step_by_id[StepId("keep")].state == "succeeded", done.step_by_id[StepId("keep")].failure
    after = {key: body for key, body in heavy.datasets().items() if key.startswith("cleaned/")}
    assert after == before
    assert staged(heavy) == []


def test_a_branch_of_a_spark_step_is_kept_off_main_by_glue_itself(heavy: OnAws) -> None:
    """The session that reads and writes is Spark's, so the whole job is narrowed, and not just what we run in it."""
    assert run(heavy).state == "succeeded"
    main = heavy.datasets()
    job = heavy.folder / "project" / "jobs" / "double.py"
    before = job.read_text()
    there = heavy.project.at("real")
    try:
        job.write_text(before.replace("* int(times)", "* int(times) + 1"))
        there.branches.create("more", "heavy")
        done = there.branches.run("more", reporter=Told())
        assert done is not None
        assert done.ok, [step.failure for step in done.run.steps]
        deltas = {each.dataset: (each.changed, each.added) for each in there.branches.deltas("more").datasets}
        assert deltas == {"doubled": (7, 0), "parts": (0, 7), "framed": (0, 2)}
        assert heavy.datasets() == main
        there.branches.drop("more")

        victim = f"{heavy.storage}/cleaned/doubled.parquet"
        job.write_text(before.replace("write.parquet(target)", f"write.mode('overwrite').parquet({victim!r})"))
        there.branches.create("buggy", "heavy")
        done = there.branches.run("buggy", reporter=Told())
        assert done is not None
        assert not done.ok
        assert heavy.datasets() == main
        there.branches.drop("buggy")
    finally:
        job.write_text(before)


@pytest.mark.parametrize(
    "old, new, said",
    [
        ("jobs/part.py}", "jobs/part.py, main_class: a.B}", "a class of a JAR"),
        ("jobs/part.py}", "jobs/part.py, master: yarn}", "the master yarn"),
        ("jobs/part.py}", "jobs/part.py, jars: [lib.jar]}", "cannot fetch: lib.jar"),
        ("jobs/part.py}", "jobs/part.py, conf: {a.b: '${params.fail}'}}", "leaves settings open"),
        ("workers: 3", "workers: 1", "2 to 299"),
    ],
)
def test_what_glue_cannot_be_told_is_refused_by_name(heavy: OnAws, old: str, new: str, said: str) -> None:
    file = heavy.folder / "project" / "pipelines" / "heavy.yaml"
    before = file.read_text()
    assert old in before
    file.write_text(before.replace(old, new))
    try:
        found = [each.message for each in heavy.project.deployment("real").check() if each.severity == "error"]
        assert any(said in each for each in found), found
    finally:
        file.write_text(before)


def test_a_job_is_told_what_spark_must_know_before_it_starts(heavy: OnAws) -> None:
    """Settings, and packages for the workers: with these, an application has what it would have anywhere."""
    file = heavy.folder / "project" / "pipelines" / "heavy.yaml"
    before = file.read_text()
    more = "jobs/part.py, conf: {spark.a: 1, spark.b: x}, jars: ['s3://jars/a.jar'], py_files: ['s3://jars/b.zip']}"
    file.write_text(before.replace("jobs/part.py}", f"{more}\n    requirements: [dbt-extractor==0.6.0]"))
    try:
        made = heavy.project.deployment("real").resources()
        (job,) = [each for each in made if each.address == "job/heavy--real--heavy--part"]
        form = json.loads(job.content)
        assert form["size"]["NumberOfWorkers"] == 3
        told = form["arguments"]
        assert told["--additional-python-modules"] == "dbt-extractor==0.6.0"
        assert told["--conf"] == "spark.a=1 --conf spark.b=x"
        assert (told["--extra-jars"], told["--extra-py-files"]) == ("s3://jars/a.jar", "s3://jars/b.zip")
    finally:
        file.write_text(before)
