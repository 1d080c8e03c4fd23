from __future__ import annotations

import pytest
from tests.code.trees import LIBRARIES, Files, of

from anabranch.code.fingerprint import Fingerprint, Fingerprints, reasons
from anabranch.model.call import ContainerCall, DbtCall, NativeCall, ShellCall, SparkCall
from anabranch.model.pipeline import Pipeline, Step, StepId

FILES: dict[str, str | bytes] = {
    "run.py": "import helpers\nprint(helpers.tidy(1))\n",
    "helpers.py": "def tidy(x):\n    return 1\ndef spare(x):\n    return 5\n",
    "jobs/go.py": "from near import close\nimport helpers\nclose(helpers.tidy(2))\n",
    "jobs/near.py": "def close(x):\n    return 3\n",
    "pkg/__init__.py": "",
    "pkg/__main__.py": "from . import mod\n",
    "pkg/mod.py": "def f():\n    return 4\nif __name__ == '__main__':\n    f()\n",
    "awk/tidy.awk": "{ print $1 }\n",
    "sql/x.sql": "SELECT 1\n",
    "conf/deep/a.json": "{}\n",
    "run.sh": "set -e\n. ./inner.sh\nsort $1\n",
    "inner.sh": "awk -f awk/tidy.awk\nbash run.sh\n",
    "data.csv": "a\n1\n",
}


def shell(line: str, files: dict[str, str | bytes] = FILES) -> Fingerprint:
    return of(files, ShellCall((line,), shell=True))


def argv(*words: str, files: dict[str, str | bytes] = FILES) -> Fingerprint:
    return of(files, ShellCall(words))


def changed(name: str, old: str, new: str) -> dict[str, str | bytes]:
    text = str(FILES[name])
    assert old in text
    return {**FILES, name: text.replace(old, new)}


LINES = [
    ("awk -f awk/tidy.awk ${in.a} > ${out.b}", "awk/tidy.awk"),
    ("awk -fawk/tidy.awk ${in.a}", "awk/tidy.awk"),
    ("cat 'sql/x.sql' | sort", "sql/x.sql"),
    ("tool --file=./sql/x.sql", "sql/x.sql"),
    ("sort < sql/x.sql", "sql/x.sql"),
    ("A=$(cat sql/x.sql); echo $A", "sql/x.sql"),
    ("echo `cat sql/x.sql`", "sql/x.sql"),
    ("(cd sql && cat x.sql)", "sql/x.sql"),
    ("if true; then cat sql/x.sql; fi", "sql/x.sql"),
    ("bash -c 'cat sql/x.sql'", "sql/x.sql"),
    ("cat data.csv sql/x.sql", "sql/x.sql"),
    ("cp -r conf/ ${out.b}", "conf/deep/a.json"),
    ("cp -r conf/deep ${out.b}", "conf/deep/a.json"),
    ("./run.sh ${in.a}", "run.sh"),
    ("./run.sh ${in.a}", "awk/tidy.awk"),
]


@pytest.mark.parametrize("line, name", LINES)
def test_a_file_that_a_command_line_names_counts_by_its_content(line: str, name: str) -> None:
    files = {**FILES, name: str(FILES[name]) + "\n"}
    assert shell(line).impure == ()
    assert reasons(shell(line), shell(line, files)) == (f"file {name} changed",)


@pytest.mark.parametrize("words", [("awk", "-f", "awk/tidy.awk"), ("tool", "--file=awk/tidy.awk"), ("./awk/tidy.awk",)])
def test_a_file_that_an_argument_names_counts_by_its_content(words: tuple[str, ...]) -> None:
    assert reasons(argv(*words), argv(*words, files=changed("awk/tidy.awk", "$1", "$2"))) == (
        "file awk/tidy.awk changed",
    )


def test_files_that_no_word_names_do_not_count() -> None:
    before, after = (shell("sort ${in.a} # sql/x.sql", files) for files in (FILES, changed("sql/x.sql", "1", "2")))
    assert before.digest == after.digest
    assert [name for name, _ in argv("awk", "x").parts] == ["call", "ports"]


RUNS = [
    ("python run.py ${in.a}", "helpers.py", "return 1", "code of helpers.tidy() changed"),
    ("A=1 python3 -u -X dev run.py", "run.py", "print", "code of run.py changed"),
    ("./run.py", "helpers.py", "return 1", "code of helpers.tidy() changed"),
    ("env A=1 python run.py", "helpers.py", "return 1", "code of helpers.tidy() changed"),
    ("python jobs/go.py", "jobs/near.py", "return 3", "code of near.close() changed"),
    ("python jobs/go.py", "helpers.py", "return 1", "code of helpers.tidy() changed"),
    ("cd jobs && python go.py", "jobs/near.py", "return 3", "code of near.close() changed"),
    ("python -m pkg.mod", "pkg/mod.py", "return 4", "code of pkg/mod.py changed"),
    ("python -c 'import helpers; helpers.tidy(3)'", "helpers.py", "return 1", "code of helpers.tidy() changed"),
]


@pytest.mark.parametrize("line, name, old, why", RUNS)
def test_python_that_a_command_runs_is_followed(line: str, name: str, old: str, why: str) -> None:
    files = changed(name, old, f"{old.replace('print', 'repr')}0" if "return" in old else "repr")
    before = shell(line)
    assert before.impure == ()
    assert why in reasons(before, shell(line, files))


@pytest.mark.parametrize("line", ["python run.py", "python -u -W ignore run.py", "python -m run", "./run.py"])
def test_python_that_a_command_runs_counts_as_code_and_not_as_text(line: str) -> None:
    formatted = {**FILES, "run.py": "# why\nimport helpers\n\nprint( helpers.tidy(1) )\n"}
    assert shell(line).digest == shell(line, formatted).digest
    unused = changed("helpers.py", "return 5", "return 6")
    assert shell(line).digest == shell(line, unused).digest


def test_python_that_is_only_read_counts_as_text() -> None:
    formatted = {**FILES, "run.py": "# why\n" + str(FILES["run.py"])}
    assert reasons(shell("cat run.py"), shell("cat run.py", formatted)) == ("file run.py changed",)


def test_libraries_of_python_that_a_command_runs_count() -> None:
    files: dict[str, str | bytes] = {"run.py": "import polars\nprint(polars.col('a'))\n"}
    assert dict(argv("python", "run.py", files=files).parts)["library polars"] == "1.0"
    assert dict(shell("python -m polars.x").parts)["library polars"] == "1.0"


@pytest.mark.parametrize(
    "line, why",
    [
        ("curl http://x > ${out.b}", "runs curl, which reaches outside of its ports"),
        ("sort x | psql db", "runs psql, which reaches outside of its ports"),
        ("echo $(aws s3 ls)", "runs aws, which reaches outside of its ports"),
        ('echo "$(wget -qO- x)"', "runs wget, which reaches outside of its ports"),
        ("/usr/bin/ssh host ls", "runs ssh, which reaches outside of its ports"),
        ("cat x | xargs -n 1 curl", "runs curl, which reaches outside of its ports"),
        ("bash -c 'scp a b'", "runs scp, which reaches outside of its ports"),
        ("if true; then sqlite3 x; fi", "runs sqlite3, which reaches outside of its ports"),
        ("cat /mnt/data/x.csv", "names /mnt/data/x.csv, which is no port"),
        ("cat /data", "names /data, which is no port"),
        ("tool --in=/mnt/x", "names /mnt/x, which is no port"),
        ("sort < /etc/hosts", "names /etc/hosts, which is no port"),
        ("cat ~/x.csv", "names ~/x.csv, which is no port"),
        ("cat ../x.csv", "names ../x.csv, which is no port"),
        ("/opt/tool/run x", "names /opt/tool/run, which is no port"),
    ],
)
def test_a_command_that_reaches_outside_is_impure(line: str, why: str) -> None:
    assert shell(line).impure == (why,)
    assert why in argv("bash", "-c", line).impure


@pytest.mark.parametrize(
    "line, why",
    [
        ("date > ${out.b}", "runs date"),
        ("echo $(date +%F)", "runs date"),
        ("echo $RANDOM", "uses RANDOM"),
        ("echo ${RANDOM}", "uses RANDOM"),
        ("sort x | shuf", "runs shuf"),
        ("uuidgen", "runs uuidgen"),
        ("awk '{print rand()}' x", "uses rand"),
        ("awk 'BEGIN{srand()}' x", "uses srand"),
        ("awk '{print systime()}' x", "uses systime"),
    ],
)
def test_a_command_that_may_differ_each_time_is_random(line: str, why: str) -> None:
    assert shell(line).random == (why,)


@pytest.mark.parametrize(
    "line",
    [
        "cut -f date x.csv",
        "sort --key=date ${in.curl} > ${out.aws}",
        "echo 'curl x; date'",
        "echo 'it $(date)'",
        "grep git x",
        "sed /foo/d x",
        "awk '/a b/ {print}' x",
        "cat x > /dev/null 2>&1",
        "sort -T /tmp/x x > /mnt/out",
        "/usr/bin/sort x",
        "date -d 2013-01-05 +%F",
        "# curl x",
        "cat ${in.a} | awk -F/ '{print $1}'",
        "awk '{ operand(1) }' x",
        "/home/me/env/bin/python run.py",
    ],
)
def test_what_only_looks_like_it_in_a_command_is_not_told(line: str) -> None:
    found = shell(line)
    assert (found.impure, found.random) == ((), ())


def test_a_shell_script_is_looked_at_as_its_line_would_be() -> None:
    files = {**FILES, "inner.sh": "curl http://x\ndate\n"}
    found = shell("./run.sh", files)
    assert found.impure == ("runs curl, which reaches outside of its ports",)
    assert found.random == ("runs date",)
    assert shell("awk -f awk/tidy.awk", changed("awk/tidy.awk", "$1", "rand()")).random == ("uses rand",)


def test_a_shell_script_is_looked_at_for_every_step_that_runs_it() -> None:
    steps = [Step(StepId(name), ShellCall(("./run.sh", name))) for name in "ab"]
    prints = Fingerprints(Files(FILES), LIBRARIES)
    found = [prints.of(Pipeline("p", tuple(steps)), step) for step in steps]
    assert all("file awk/tidy.awk" in dict(each.parts) for each in found)


def test_a_script_is_suspected_as_a_function_is_but_its_arguments_are_its_ports() -> None:
    def script(text: str) -> Fingerprint:
        return argv("python", "x.py", files={"x.py": f"import os, sys, time\nimport polars as pl\n{text}\n"})

    assert script("pl.read_csv(sys.argv[1])").impure == ()
    assert script("pl.read_csv(os.environ['ANABRANCH_IN_A'])").impure == ()
    assert script("pl.read_csv('/mnt/a')").impure == ("opens /mnt/a, which is no port, at x.py:3",)
    assert script("os.environ['HOME']").impure == ("reads the variable HOME, which it does not declare, at x.py:3",)
    assert script("if __name__ == '__main__':\n    time.time()").random == ("calls time.time(), at x.py:4",)


@pytest.mark.parametrize(
    "line", ["'", '"', "$(", "`", "cat <<E\n'\nE", "\\", "a'b\"c", "", "((", "))", "${", "python", "bash -c"]
)
def test_no_line_is_too_odd(line: str) -> None:
    assert shell(line).digest == shell(line).digest
    assert shell(line).digest != shell(f"{line} x").digest


def test_a_line_and_its_arguments_count() -> None:
    assert reasons(shell("sort -k1"), shell("sort -k2")) == ("call changed",)
    assert reasons(argv("sort"), argv("sort", "-r")) == ("call changed",)
    assert reasons(argv("sort"), shell("sort")) == ("call changed",)


def test_spark_counts_by_its_script_its_files_and_how_it_is_called() -> None:
    def spark(files: dict[str, str | bytes] = FILES, **more: object) -> Fingerprint:
        given = {"main": "jobs/go.py", "args": ("${in.a}",), "py_files": ("helpers.py",), "jars": ("data.csv",), **more}
        return of(files, SparkCall(**given))  # type: ignore[arg-type]

    before = spark()
    assert before.impure == ()
    assert dict(before.parts)["library pyspark"] == "4.0"
    assert reasons(before, spark(changed("jobs/near.py", "3", "4"))) == ("code of near.close() changed",)
    assert reasons(before, spark(changed("data.csv", "1", "2"))) == ("file data.csv changed",)
    assert spark({**FILES, "jobs/go.py": "# why\n" + str(FILES["jobs/go.py"])}).digest == before.digest
    for name, value in {"args": ("x",), "master": "x", "conf": (("a", "b"),), "main_class": "x"}.items():
        assert reasons(before, spark(**{name: value})) == ("call changed",)
    assert spark(main="s3://b/go.py").impure[0] == "runs s3://b/go.py, which is not in the project"


def test_a_dbt_project_counts_whole_but_for_what_dbt_makes() -> None:
    files: dict[str, str | bytes] = {
        "dbt/dbt_project.yml": "name: x",
        "dbt/models/a.sql": "select 1",
        "dbt/target/manifest.json": "1",
        "dbt/logs/dbt.log": "1",
        "dbt/dbt_packages/p/x.sql": "1",
        "dbtother/models/a.sql": "1",
    }
    before = of(files, DbtCall("dbt"))
    assert before.impure == ()
    for name in files:
        after = of({**files, name: "2"}, DbtCall("dbt"))
        made = name.startswith(("dbt/target", "dbt/logs", "dbt/dbt_packages", "dbtother"))
        assert reasons(before, after) == (() if made else (f"file {name} changed",))
    assert reasons(before, of(files, DbtCall("dbt", select="a"))) == ("call changed",)
    assert reasons(before, of(files, DbtCall("dbt", vars=(("a", "b"),)))) == ("call changed",)
    assert before.digest == of(files, DbtCall("dbt", models=("a",))).digest
    assert of(files, DbtCall("nowhere")).impure == ("there is no dbt project in nowhere",)
    root = {name.removeprefix("dbt/"): text for name, text in files.items()}
    assert reasons(of(root, DbtCall(".")), of({**root, "models/a.sql": "2"}, DbtCall("."))) == (
        "file models/a.sql changed",
    )
    new = {"dbt-core": "1.12", "dbt-duckdb": "1.11"}
    old = {"dbt-core": "1.11", "dbt-duckdb": "1.11"}
    assert reasons(of(files, DbtCall("dbt"), libraries=old), of(files, DbtCall("dbt"), libraries=new)) == (
        "library dbt-core 1.11 -> 1.12",
    )


def test_a_container_is_pure_only_by_its_digest_and_a_native_job_never() -> None:
    assert of({}, ContainerCall("a@sha256:00")).impure == ()
    assert of({}, ContainerCall("a:1.0")).impure == ("the image a:1.0 has no digest, so it may change",)
    assert of({}, NativeCall("aws", "job")).impure == ("the job job is defined on aws, and not in this project",)
    assert reasons(of({}, NativeCall("aws", "job")), of({}, NativeCall("aws", "other"))) == ("call changed",)
    assert reasons(of({}, ContainerCall("a", ("x",))), of({}, ContainerCall("a", ("y",)))) == ("call changed",)
