"""DAG files of odd pipelines: a real Airflow imports each, and has its tasks, groups, edges and assets."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from anabranch.model.call import PythonCall
from anabranch.model.dataset import DatasetSpec, Format
from anabranch.model.environment import Airflow, Environment
from anabranch.model.pipeline import DatasetInput, DatasetOutput, Param, Pipeline, Retry, Step, StepId
from anabranch.model.resource import Owner
from anabranch.platforms.airflow.cells import long_tags, refusals
from anabranch.platforms.airflow.dagfile import Files, assets_of, dag_file
from anabranch.platforms.airflow.names import LONGEST, LONGEST_TAG, task_id

PYTHON = Path(__file__).parents[2] / ".venv-airflow" / "bin" / "python"
FILES = Files("/a/payload.pyz", "/a/definition.json", "python3", "/srv/lake #1?/dätä", tags=("team:data",))
LONG = "p" * 120
READ = """
import json, sys, runpy
from airflow.sdk.definitions.dag import DAG
found = {}
for name in sys.argv[1:]:
    (dag,) = [each for each in runpy.run_path(name).values() if isinstance(each, DAG)] or [None]
    found[name] = {
        "tags": sorted(dag.tags),
        "edges": sorted([task.task_id, *sorted(task.downstream_task_ids)] for task in dag.tasks),
        "outlets": sorted(each.uri for task in dag.tasks for each in task.outlets),
        "params": {name: dag.params.get_param(name).schema.get("enum") for name in dag.params},
        "environment": {
            task.task_id: {
                name: task.render_template(text, {}, task.get_template_env(dag))
                for name, text in task.env.items() if not name.startswith("ANABRANCH_")
            }
            for task in dag.tasks
        },
        "timeouts": {t.task_id: t.execution_timeout.total_seconds() for t in dag.tasks if t.execution_timeout},
    }
print(json.dumps(found, ensure_ascii=False))
"""


def step(name: str, *after: str, **more: Any) -> Step:
    return Step(StepId(name), PythonCall(f"m:{name}"), after=tuple(map(StepId, after)), **more)


def text_of(
    *steps: Step,
    owner: Owner = Owner("shop", "prod"),  # noqa: B008 - frozen
    files: Files = FILES,
    params: tuple[Param, ...] = (),
) -> str:
    specs = (DatasetSpec("legs", format=Format.CSV), DatasetSpec("out", format=Format.CSV))
    text = dag_file(Pipeline("daily", steps, specs, params), owner, "shop.daily", files)
    return text.replace("\nwith DAG(", "\nimport sys\nwith DAG(").replace("\n):\n", "\n) as dag:\n")


CASES = {
    "names.py": text_of(step("super"), step("RuntimeError", "super"), step("DAG", "RuntimeError")),
    "groups.py": text_of(
        step("in_a_b"),
        step("a.b/one", "in_a_b"),
        step("a_b/uno", "a.b/one"),
        step("a.b/deep.er/two", "a_b/uno"),
        step("a.b/three", "a.b/deep.er/two"),
        step("last", "a.b/three"),
    ),
    "files.py": text_of(
        step("load.sh"),
        owner=Owner("shop", "prod", "try.bash"),
        files=replace(FILES, python="/opt/{{ ds }}.sh", storage="/srv/lake.sh", protected="/srv/{# x #}.json"),
    ),
    "params.py": text_of(step("one"), params=(Param("mood", default="😀", choices=("😀", 'a "b"', "ü\n")),)),
    "long.py": text_of(step("one"), owner=Owner(LONG, LONG, LONG)),
    "data.py": text_of(
        step("one", outputs=(DatasetOutput("legs", "legs"),), timeout=1234567.0),
        step("two", inputs=(DatasetInput("legs", "legs"),), outputs=(DatasetOutput("out", "out"),)),
    ),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    if not PYTHON.exists():
        pytest.skip("no Airflow: python3 tools/bootstrap.py airflow")
    folder = tmp_path_factory.mktemp("dags")
    for name, text in CASES.items():
        (folder / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [str(PYTHON), "-c", READ, *CASES],
        cwd=folder,
        env={"AIRFLOW_HOME": str(folder), "PATH": "/usr/bin:/bin"},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.engine
@pytest.mark.slow
def test_a_step_may_have_the_name_of_what_the_file_uses(told: dict[str, dict[str, Any]]) -> None:
    assert told["names.py"]["edges"] == [["DAG"], ["RuntimeError", "DAG"], ["super", "RuntimeError"]]


@pytest.mark.engine
@pytest.mark.slow
def test_groups_with_dots_and_the_names_of_steps_are_kept_apart(told: dict[str, dict[str, Any]]) -> None:
    chain = [task_id(StepId(each)) for each in ("in_a_b", "a.b/one", "a_b/uno", "a.b/deep.er/two", "a.b/three", "last")]
    wanted = [*(list(pair) for pair in pairwise(chain)), ["last"]]
    assert told["groups.py"]["edges"] == sorted(wanted)


@pytest.mark.engine
@pytest.mark.slow
def test_tags_fit_and_assets_are_what_the_file_says(told: dict[str, dict[str, Any]]) -> None:
    assert all(len(tag) <= LONGEST_TAG for tag in told["long.py"]["tags"])
    assert set(told["data.py"]["outlets"]) == set(assets_of(CASES["data.py"]))
    assert len(set(told["data.py"]["outlets"])) == 2
    assert told["data.py"]["timeouts"] == {"one": 1234567.0}


@pytest.mark.engine
@pytest.mark.slow
def test_what_a_step_is_told_means_itself_though_it_is_named_like_a_template(told: dict[str, dict[str, Any]]) -> None:
    (environment,) = told["files.py"]["environment"].values()
    wanted = {
        "STEP": "load.sh",
        "NAMESPACE": "try.bash",
        "PYTHON": "/opt/{{ ds }}.sh",
        "STORAGE": "/srv/lake.sh",
        "PROTECTED": "/srv/{# x #}.json",
    }
    assert {name: environment[name] for name in wanted} == wanted


@pytest.mark.engine
@pytest.mark.slow
def test_a_param_has_the_choices_that_were_written_whatever_their_characters(told: dict[str, dict[str, Any]]) -> None:
    assert told["params.py"]["params"] == {"mood": ["😀", 'a "b"', "ü\n"]}


def test_an_id_or_a_tag_beyond_airflows_limit_is_refused_with_its_source() -> None:
    deep = StepId("/".join(["x" * 100] * 3))
    found = refusals(Pipeline("daily", (Step(deep, PythonCall("m:f")),)))
    assert [each.code for each in found] == ["name-too-long"]
    assert f"{LONGEST} characters" in found[0].message
    assert "https://" in found[0].message
    environment = Environment("prod", Airflow("/dags"), "/lake", "/a", tags=(("t" * 60, "v" * 60),))
    assert [each.code for each in long_tags(environment)] == ["tag-too-long"]
    assert not [*long_tags(replace(environment, tags=(("team", "data"),)))]


def test_a_pipeline_that_takes_too_long_to_import_is_told_with_the_limits_source() -> None:
    steps = tuple(step(f"s{i}") for i in range(15_001))
    (found,) = refusals(Pipeline("daily", steps))
    assert (found.code, found.severity) == ("too-many-steps", "warning")
    assert "30 s" in found.message
    assert "https://" in found.message
    assert not refusals(Pipeline("daily", steps[:15_000]))


def test_times_are_told_to_the_second_however_long() -> None:
    retry = Retry(attempts=2, delay=1_234_567.0, backoff=2.0, max_delay=7_654_321.5)
    text = text_of(step("one", retry=retry))
    assert "retry_delay=timedelta(seconds=1234567)" in text
    assert "max_retry_delay=timedelta(seconds=7654321.5)" in text
