from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.platforms.attempts import Attempt

from anabranch.model.call import SparkCall
from anabranch.platforms.process.context import Context
from anabranch.platforms.spark import install
from anabranch.platforms.spark.engine import command, settings, variables

HERE = SparkCall("jobs/clean.py", ("--in", "${in.legs}"), conf=(("spark.app.name", "mine"), ("spark.x", "${in.legs}")))
CONTEXT = Context({"in.legs": "/my legs"}, {}, {})
JAVA = SparkCall("app.jar", (), "yarn", main_class="org.acme.Clean", jars=("a.jar", "b.jar"))


@pytest.fixture
def spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a Spark of which only the outside is there, and nothing else of Spark or Java."""
    for name in ("bin", "jars", "conf"):
        (tmp_path / "spark" / name).mkdir(parents=True)
    executable(tmp_path / "spark/bin/spark-submit")
    executable(tmp_path / "java/bin/java")
    for name in ("SPARK_HOME", "SPARK_CONF_DIR", "PYSPARK_PYTHON", "SPARK_LOCAL_IP", "VIRTUAL_ENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java"))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python/bin/python"))
    monkeypatch.setattr(install, "find_spec", lambda _: None)
    return tmp_path / "spark"


def executable(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def test_spark_is_found_where_it_may_be(spark: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each place comes before those that were looked at so far."""
    around = spark.parent
    with pytest.raises(install.StepError, match="spark-submit is not installed") as caught:
        install.find()
    assert "SPARK_HOME" in caught.value.hint
    executable(around / "python/bin/spark-submit")
    (around / "python/lib/python3.12/site-packages/pyspark/jars").mkdir(parents=True)
    found = install.find()
    assert (found.submit, found.home) == (
        around / "python/bin/spark-submit",
        around / "python/lib/python3.12/site-packages/pyspark",
    )
    (around / "commands").mkdir()
    (around / "commands/spark-submit").symlink_to(spark / "bin/spark-submit")
    monkeypatch.setenv("PATH", str(around / "commands"))
    assert install.find().home == spark
    monkeypatch.setenv("SPARK_HOME", str(around / "python"))
    assert install.find().submit == around / "python/bin/spark-submit"
    executable(around / "own/bin/spark-submit")
    monkeypatch.setenv("VIRTUAL_ENV", str(around / "own"))
    found = install.find(own=True)
    assert (found.submit, found.home, found.python) == (
        around / "own/bin/spark-submit",
        None,
        around / "own/bin/python",
    )


@pytest.mark.parametrize("name", ["SPARK_HOME", "JAVA_HOME"])
def test_a_wrong_home_is_named(spark: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_HOME", str(spark))
    monkeypatch.setenv(name, "/no/such")
    with pytest.raises(install.StepError, match=f"{name} is /no/such") as caught:
        install.find()
    assert (caught.value.code, name in caught.value.hint) == ("not-installed", True)


def test_a_missing_java_is_named(spark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_HOME", str(spark))
    monkeypatch.delenv("JAVA_HOME")
    failure = Attempt(tmp_path).fail(SparkCall("job.py"))
    assert (failure.code, failure.message) == ("not-installed", "Spark needs Java, which is not installed")


def test_what_the_user_has_set_stays_set(spark: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the step's conf, in spark-defaults.conf, or by variables."""
    (spark / "conf/spark-defaults.conf").write_text("# ours\nspark.log.level=INFO\nspark.sql.warehouse.dir  /here\n")
    monkeypatch.setenv("SPARK_HOME", str(spark))
    monkeypatch.setenv("PYSPARK_PYTHON", "python3.9")
    found = install.find()
    ours = settings(HERE, found, Path("/scratch"), "daily.it")
    assert not {"spark.log.level", "spark.sql.warehouse.dir", "spark.app.name"} & set(ours)
    assert ours["spark.driver.host"] == "127.0.0.1"
    told = variables(HERE, found, Path("/scratch"))
    assert {"SPARK_HOME", "PYSPARK_PYTHON"}.isdisjoint(told)
    assert (told["SPARK_LOCAL_IP"], told["SPARK_LOCAL_DIRS"]) == ("127.0.0.1", "/scratch/local")


def test_a_cluster_elsewhere_gets_no_address_and_no_path_of_this_machine(
    spark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_HOME", str(spark))
    found = install.find()
    ours = {**settings(JAVA, found, Path("/scratch"), "daily.it"), **variables(JAVA, found, Path("/scratch"))}
    assert "127.0.0.1" not in ours.values()
    assert set(ours) == {"spark.app.name", "spark.log.level", "spark.ui.showConsoleProgress", "PYSPARK_DRIVER_PYTHON"}


@pytest.mark.parametrize(
    "call, argv",
    [
        (
            HERE,
            "--master local[*] --conf spark.app.name=mine --conf spark.x=/my\0legs jobs/clean.py --in /my\0legs",
        ),
        (JAVA, "--master yarn --class org.acme.Clean --jars a.jar,b.jar app.jar"),
    ],
)
def test_the_command_line_is_spark_submits(
    spark: Path, call: SparkCall, argv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_HOME", str(spark))
    told = command(install.find(), call, CONTEXT, {})
    assert told == [str(spark / "bin/spark-submit"), *(word.replace("\0", " ") for word in argv.split())]
