"""Jobs that exist and containers, as DAG files have them: what operators are given, and what is refused by name."""

from __future__ import annotations

import ast
import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anabranch.model.call import Call, ContainerCall, NativeCall, PythonCall
from anabranch.model.dataset import Bound, DatasetSpec, Format, Ingestion, Sample
from anabranch.model.environment import Airflow, Environment
from anabranch.model.pipeline import (
    DatasetInput,
    DatasetOutput,
    Needs,
    Param,
    ParamType,
    Pipeline,
    Retry,
    Rows,
    Step,
    StepId,
    ValueInput,
    ValueOutput,
)
from anabranch.model.resource import Owner
from anabranch.platforms.airflow import pod
from anabranch.platforms.airflow.cells import CELLS, PROVIDERS, refusals, unknown_connections
from anabranch.platforms.airflow.dagfile import Files, dag_file
from anabranch.platforms.airflow.jinja import Filling, filling, literal, marked
from anabranch.platforms.airflow.names import variable
from anabranch.platforms.airflow.narrow import session_policy
from anabranch.platforms.airflow.native import NATIVE
from anabranch.platforms.airflow.source import source

PYTHON = Path(__file__).parents[2] / ".venv-airflow" / "bin" / "python"
LEGS, OUT = DatasetSpec("legs", format=Format.JSONL), DatasetSpec("out", format=Format.CSV)
FILES = Files("/a/payload.pyz", "/a/definition.json", "python3", "s3://lake/main", connections={"databricks": "dbx"})
OWNER = Owner("shop", "prod")
JOBS = {
    "airflow": ("other.daily", {"day": "${params.day}", "from": "${in.legs}"}),
    "databricks": ("4711", {"in": "${in.legs}"}),
    "emr": ("j-1", {"command": "spark-submit s3://code/x.json 'a b' ${in.legs}"}),
    "emr-serverless": ("00x", {"script": "s3://code/x.py", "role": "arn:r", "args": "--in ${in.legs}", "spark": "-v"}),
    "glue": ("nightly", {"in": "${in.legs}", "--day": "${params.day}", "odd": "{{ ds }} and ${{ not.ours }}.json"}),
    "lambda": ("mail", {"in": "${in.legs}", "day": "of ${params.day}", "odd": '{{ ds }} "quoted"'}),
    "step-functions": ("arn:aws:states:eu-west-1:000000000000:stateMachine:m", {"in": "${in.legs}", "odd": "{% x %}"}),
}
"""One job of each platform."""


def step(call: Call, name: str = "job", **more: Any) -> Step:
    inputs = more.pop("inputs", (DatasetInput("legs", "legs"),))
    return Step(StepId(name), call, inputs, **more)


def native(platform: str, **more: Any) -> Step:
    job, arguments = JOBS[platform]
    return step(NativeCall(platform, job, tuple(arguments.items())), name=f"on-{platform}", **more)


def pipeline(*steps: Step, legs: DatasetSpec = LEGS) -> Pipeline:
    return Pipeline("daily", steps, (legs, OUT), params=(Param("day", ParamType.STRING, "2013-01-05"),))


def image(**more: Any) -> Step:
    outputs = (DatasetOutput("out", "out"),)
    return step(ContainerCall("tool:1", ("--in=${in.legs}", "{{ ds }}.yaml")), "image", outputs=outputs, **more)


EVERYTHING = pipeline(
    *(native(platform) for platform in JOBS),
    image(needs=Needs(resources=(("cpu", "500m"), ("memory", "512")), env=(("A", "{{ b }} ${in.legs}"),))),
)


def text_of(found: Pipeline) -> str:
    return dag_file(found, OWNER, "shop.daily", FILES)


def codes(*steps: Step, legs: DatasetSpec = LEGS) -> list[str]:
    found = refusals(pipeline(*steps, legs=legs))
    assert all(each.code == "no-cell" and each.hint for each in found)
    return [each.message for each in found]


def test_every_platform_of_the_table_has_a_case_here_and_a_cell() -> None:
    assert set(JOBS) == set(NATIVE)
    assert {f"native {platform}" for platform in NATIVE} <= set(CELLS)
    assert set(PROVIDERS) <= set(CELLS)
    assert not codes(*EVERYTHING.steps)


@pytest.mark.parametrize("platform", sorted(NATIVE))
def test_a_file_imports_the_operators_of_its_steps_and_no_others(platform: str) -> None:
    text = text_of(pipeline(native(platform)))
    ast.parse(text)
    used = {NATIVE[platform].operator}
    operators = {each.operator for each in NATIVE.values()} | {pod.OPERATOR, "BashOperator"}
    assert {each for each in operators if f"import {each}" in text or f", {each}" in text} == used
    assert "PAYLOAD" not in text
    assert "timedelta" not in text


def test_a_pipeline_of_processes_alone_imports_no_provider_but_the_standard_one() -> None:
    text = text_of(pipeline(step(PythonCall("jobs:clean"))))
    providers = {line.split()[1] for line in text.splitlines() if line.startswith("from airflow.providers")}
    assert providers == {"airflow.providers.standard.operators.bash"}
    assert "import time" not in text


def test_no_step_has_the_name_of_what_the_file_uses() -> None:
    for name in {each.operator for each in NATIVE.values()} | {each.name for each in NATIVE.values()} | {pod.OPERATOR}:
        assert variable(StepId(name)) != name


def test_retries_timeouts_groups_and_edges_are_as_of_other_tasks() -> None:
    job = native("glue", retry=Retry(3, 10, 2), timeout=600)
    job = replace(job, id=StepId("inner/job"))
    text = text_of(pipeline(job, step(PythonCall("a:b"), "after", inputs=(), after=(StepId("inner/job"),))))
    for part in (
        "retries=2",
        "retry_delay=timedelta(seconds=10)",
        "execution_timeout=timedelta(seconds=600)",
        "waiter_max_attempts=41",  # 15 s apart
        "task_group=in_inner",
        "inner__job >> after",
        'inlets=[DATASETS["legs"]]',
    ):
        assert part in text, text


@pytest.mark.parametrize(
    "change, words",
    [
        ({"platform": "glu"}, "names the platform `glu`"),
        ({"platform": "emr"}, "gives its emr job no `command`"),
        ({"platform": "emr", "arguments": (("command", "a 'b"),)}, "is no command line"),
        ({"platform": "emr", "arguments": (("command", "a"), ("jar", "x"))}, "`jar`, which Airflow cannot hand over"),
        ({"platform": "step-functions"}, "without its account"),
    ],
)
def test_what_a_job_lacks_is_refused_by_name(change: dict[str, Any], words: str) -> None:
    call = replace(NativeCall("glue", "nightly"), **change)
    (message,) = codes(step(call))
    assert "step `job`" in message
    assert words in message


def test_a_timeout_that_airflow_would_not_keep_to_is_refused() -> None:
    assert "does not keep to" in codes(native("airflow", timeout=60))[0]


def test_a_branch_s_calls_are_kept_from_main_s_storage_where_the_platform_can() -> None:
    root = "s3://lake/main/_branches/fix/"
    branch = replace(FILES, storage=root, protected="s3://lake/main")
    text = dag_file(pipeline(*(native(platform) for platform in NATIVE)), replace(OWNER, namespace="fix"), "d", branch)
    policy = session_policy("s3://lake/main", root)
    assert text.count(source(literal(policy))) == 2  # Glue, and EMR Serverless
    assert len(policy) < 2048
    first, outside, inside = json.loads(policy)["Statement"]
    assert first["NotAction"] == outside["Action"] == inside["Action"]
    assert (outside["NotResource"], inside["Resource"]) == ("arn:*:s3:::lake/main/*", f"arn:*:s3:::{root[5:]}*")
    assert "ExecutionRoleSessionPolicy" not in text_of(EVERYTHING)
    assert not session_policy("/lake", "/lake/_branches/fix")


def test_an_unknown_platform_is_told_with_the_known_ones() -> None:
    (found,) = refusals(pipeline(step(NativeCall("dataproc", "x"))))
    assert all(platform in found.hint for platform in NATIVE)


@pytest.mark.parametrize("call", [NativeCall("glue", "x"), ContainerCall("tool:1")])
def test_what_only_our_own_runtime_does_is_refused_by_name(call: Call) -> None:
    assert "requirements" in codes(step(call, needs=Needs(requirements=("six==1.17.0",))))[0]
    assert "gives a value" in codes(step(call, value=ValueOutput({"type": "integer"})))[0]
    source = step(PythonCall("a:b"), "a", inputs=(), value=ValueOutput({"type": "integer"}))
    assert "takes a value" in codes(source, step(call, inputs=(ValueInput("n", (StepId("a"),)),)))[0]
    growing = replace(LEGS, ingestion=Ingestion.INCREMENTAL, incremental_field="id")
    assert "the new rows of `legs`" in codes(step(call), legs=growing)[0]
    assert not codes(step(call, inputs=(DatasetInput("legs", "legs", rows=Rows.ALL),)), legs=growing)
    sampled = replace(LEGS, bound=Bound("s3://lake/main", "1", Sample(("id",), 0.1)))
    assert "a sample of `legs`" in codes(step(call), legs=sampled)[0]


def test_a_job_has_its_own_variables_and_a_pod_no_secrets() -> None:
    secret = Needs(secrets=(("KEY", "secret://env/KEY"),))
    assert "has secrets" in codes(native("glue", needs=secret))[0]
    assert "has variables" in codes(native("glue", needs=Needs(env=(("A", "b"),))))[0]
    assert "secrets KEY" in codes(image(needs=secret))[0]
    assert "asks for gpu" in codes(image(needs=Needs(resources=(("gpu", "1"),))))[0]
    assert "asks for lots of memory" in codes(image(needs=Needs(resources=(("memory", "lots"),))))[0]
    assert "secret://" not in text_of(pipeline(image()))


def test_a_connection_for_what_has_none_is_told() -> None:
    airflow = Airflow("/dags", connections=(("airflow", "x"), ("container", "k8s"), ("glue", "aws"), ("gleu", "x")))
    found = list(unknown_connections(Environment("prod", airflow, "/lake", "/art"), airflow))
    assert [each.code for each in found] == ["no-connection"] * 2
    assert "`airflow`" in found[0].message
    assert "`gleu`" in found[1].message


def test_in_a_branch_what_it_writes_lies_below_its_root_and_the_rest_is_main_s() -> None:
    writer = step(NativeCall("glue", "x"), outputs=(DatasetOutput("out", "out"),))
    main = replace(pipeline(writer), datasets=(replace(LEGS, bound=Bound("s3://lake/main", "1")), OUT))
    found = filling(main, writer, "s3://lake/main/_branches/fix/")
    assert found.values["in.legs"] == "s3://lake/main/raw/legs.jsonl"
    assert found.values["out.out"] == "s3://lake/main/_branches/fix/raw/out.csv"


# --------------------------------------------------------------------------------------------------
# rendered by the real Airflow, whose own operators say what is a template

RENDER = """
import json, runpy, sys
from unittest import mock
dag = runpy.run_path(sys.argv[1])
from airflow.sdk import BaseOperator
found = {}
for task in [each for each in dag.values() if isinstance(each, BaseOperator)]:
    context = {"params": {"day": json.loads(sys.argv[2])}, "run_id": "r1", "ti": mock.Mock(try_number=2), "task": task}
    task.render_template_fields(context, task.dag.get_template_env())
    told = {name: getattr(task, name) for name in task.template_fields}
    found[task.task_id] = {key: value for key, value in told.items() if isinstance(value, (str, dict, list))}
print(json.dumps(found, default=lambda each: each.to_dict() if hasattr(each, 'to_dict') else str(each)))
"""


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each task of `EVERYTHING` is given by a real Airflow, in a run whose param has every odd character."""
    if not PYTHON.exists():
        pytest.skip("no Airflow: python3 tools/bootstrap.py airflow")
    folder = tmp_path_factory.mktemp("rendered")
    (folder / "dag.py").write_text(text_of(EVERYTHING))
    told = subprocess.run(
        [str(PYTHON), "-c", RENDER, "dag.py", json.dumps(DAY)],
        cwd=folder,
        env={"AIRFLOW_HOME": str(folder), "PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    found: dict[str, dict[str, Any]] = json.loads(told.stdout.splitlines()[-1])
    return found


DAY = 'it\'s "{{ 5 }}"\n\\ü.json'
AT = "s3://lake/main/raw/legs.jsonl"


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.parametrize(
    "task, field, value",
    [
        ("on-airflow", "conf", {"day": DAY, "from": AT}),
        ("on-airflow", "trigger_dag_id", "other.daily"),
        ("on-databricks", "job_parameters", {"in": AT}),
        ("on-databricks", "databricks_conn_id", "dbx"),
        ("on-databricks", "job_id", "4711"),
        ("on-emr-serverless", "execution_role_arn", "arn:r"),
        (
            "on-emr-serverless",
            "job_driver",
            {
                "sparkSubmit": {
                    "entryPoint": "s3://code/x.py",
                    "entryPointArguments": ["--in", AT],
                    "sparkSubmitParameters": "-v",
                }
            },
        ),
        ("on-glue", "job_name", "nightly"),
        ("on-glue", "script_args", {"--in": AT, "--day": DAY, "--odd": "{{ ds }} and ${{ not.ours }}.json"}),
        ("image", "arguments", [f"--in={AT}", "{{ ds }}.yaml"]),
    ],
)
def test_operators_are_given_what_the_user_wrote_and_nothing_in_it_is_a_template(
    rendered: dict[str, dict[str, Any]], task: str, field: str, value: object
) -> None:
    assert rendered[task][field] == value


@pytest.mark.engine
@pytest.mark.slow
def test_what_is_json_is_json_whatever_a_param_holds(rendered: dict[str, dict[str, Any]]) -> None:
    told = json.loads(rendered["on-lambda"]["payload"])
    assert told == {"in": AT, "day": f"of {DAY}", "odd": '{{ ds }} "quoted"'}
    assert json.loads(rendered["on-step-functions"]["state_machine_input"]) == {"in": AT, "odd": "{% x %}"}


@pytest.mark.engine
@pytest.mark.slow
def test_a_cluster_runs_the_words_of_a_command_and_a_pod_has_its_ports(rendered: dict[str, dict[str, Any]]) -> None:
    (one,) = rendered["on-emr"]["steps"]
    assert one["HadoopJarStep"]["Args"] == ["spark-submit", "s3://code/x.json", "a b", AT]
    assert {each["name"]: each["value"] for each in rendered["image"]["env_vars"]} == {
        "A": "{{ b }} ${in.legs}",
        "ANABRANCH_RUN": "r1",
        "ANABRANCH_ATTEMPT": "2",
        "ANABRANCH_PARAM_DAY": DAY,
        "ANABRANCH_IN_LEGS": AT,
        "ANABRANCH_OUT_OUT": "s3://lake/main/raw/out.csv",
    }


JINJA = """
import json, sys
from airflow.sdk.definitions._internal.templater import SandboxedEnvironment
render = SandboxedEnvironment(cache_size=0).from_string
for line in sys.stdin:
    template, params = json.loads(line)
    print(json.dumps(render(template).render(params=params)), flush=True)
"""


@pytest.fixture(scope="module")
def airflow_jinja() -> Any:
    if not PYTHON.exists():
        pytest.skip("no Airflow: python3 tools/bootstrap.py airflow")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([str(PYTHON), "-c", JINJA], **pipes) as process:  # type: ignore[call-overload]

        def render(template: str, day: str) -> Any:
            print(json.dumps([template, {"day": day}]), file=process.stdin, flush=True)
            return json.loads(process.stdout.readline())

        yield render
        process.stdin.close()


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Co"], exclude_characters="\0"), max_size=12) | st.sampled_from(
    ["{{ ds }}", "{%", "{#", "#}", "}}", "x.json", "a\r\nb\n", "\n", "'", '"', "\\", "\\'", "{{{", "$${in.x}"]
)


@pytest.mark.engine
@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(TEXTS, max_size=4).map("".join), TEXTS)
def test_any_text_renders_to_itself(airflow_jinja: Any, text: str, day: str) -> None:
    told = Filling({"params.day": marked("day"), "in.x": "AT"})
    plain = text.replace("$${in.x}", "${in.x}")
    assert airflow_jinja(literal(text), day) == text
    assert airflow_jinja(told.template(f"{text}${{params.day}}"), day) == f"{plain}{day}"
    assert not literal(text).endswith((".json", ".yaml", ".json-tpl"))
    assert json.loads(airflow_jinja(told.json({"a": text, "b": "${params.day}"}), day)) == {"a": plain, "b": day}
    assert json.loads(airflow_jinja(told.json({"a": text}), day)) == {"a": plain}
