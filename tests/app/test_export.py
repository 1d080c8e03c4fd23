"""Whole runs, told to real servers: what arrives, what never does, and that no server can hurt a run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.platforms.openlineage_spec import demand_valid
from tests.projects import anabranch, result, write
from tests.receivers import Mood, Receiver
from tools.airflow import free_port

STEPS = """
    import os
    from pathlib import Path
    import polars as pl
    from anabranch import Column, Dataset, Retry, pipeline, step

    orders = Dataset(
        "orders", format="csv", primary_key=["id"],
        columns={"id": "int64", "name": Column("name", "string", nullable=False, sensitive=True)},
    )
    tidy = Dataset("tidy", stage="cleaned", format="parquet", primary_key=["id"], columns=orders_columns())
    total = Dataset("total", stage="final", format="csv")


    @step(reads=orders, writes=tidy, retry=Retry(attempts=2, delay=0.01))
    def clean(orders: pl.DataFrame) -> pl.DataFrame:
        mark = Path("stumbled")
        if not mark.exists():
            mark.touch()
            raise ValueError("stumble")
        return orders if Path("broken").exists() else orders.drop_nulls("name")


    @step(reads=tidy, writes=total)
    def count(tidy: pl.DataFrame) -> pl.DataFrame:
        Path("traceparent").write_text(os.environ.get("TRACEPARENT", ""))
        return pl.DataFrame({"rows": [tidy.height]})


    daily = pipeline("daily", [clean, count])
""".replace(
    "columns=orders_columns()",
    'columns={"id": "int64", "name": Column("name", "string", nullable=False, sensitive=True)}',
)


def project(root: Path, export: str, *, stumbles: bool = False) -> Path:
    """A project with two steps, the first of which stumbles once if it is to."""
    write(
        root,
        {
            "anabranch.yaml": f"project: flights\npipelines: steps:daily\nexport: {export}\n",
            "steps.py": STEPS,
            "data/raw/orders.csv": "id,name\n1,Ada Lovelace\n2,\n3,Grace Hopper\n",
        },
    )
    if not stumbles:
        (root / "stumbled").touch()
    return root


def lineage(receiver: Receiver) -> list[dict[str, Any]]:
    found = [json.loads(each.body) for each in receiver.sent if each.path == "/api/v1/lineage"]
    for event in found:
        demand_valid(event)
    return found


def spans(receiver: Receiver) -> dict[str, list[Any]]:
    """The spans that arrived, by name."""
    found: dict[str, list[Any]] = {}
    for each in receiver.sent:
        if each.path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(each.body).resource_spans:
                for span in resource.scope_spans[0].spans:
                    found.setdefault(span.name, []).append(span)
    return found


def attributes(span: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


def test_a_run_arrives_at_both_while_it_happens(tmp_path: Path) -> None:
    with Receiver() as receiver:
        both = f"{{openlineage: {{url: '{receiver.url}'}}, opentelemetry: {{endpoint: '{receiver.url}'}}}}"
        told = anabranch(project(tmp_path, both, stumbles=True), "run")
    assert "warning" not in told
    events = [(each["eventType"], each["job"]["name"]) for each in lineage(receiver)]
    assert events == [
        ("START", "daily"),
        ("START", "daily.clean"),
        ("COMPLETE", "daily.clean"),
        ("START", "daily.count"),
        ("COMPLETE", "daily.count"),
        ("COMPLETE", "daily"),
    ]
    clean = next(each for each in lineage(receiver) if each["eventType"] == "COMPLETE" and each["inputs"])
    assert clean["inputs"][0]["name"] == f"{tmp_path}/data/raw/orders.csv"
    assert clean["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 2
    found = spans(receiver)
    (root,), (step,), (first, second) = found["daily"], found["clean"], found["clean attempt"]
    assert (first.status.message, second.status.message) == ("ValueError: stumble", "")
    assert step.parent_span_id == root.span_id
    assert first.parent_span_id == second.parent_span_id == step.span_id
    assert root.start_time_unix_nano <= first.start_time_unix_nano < second.start_time_unix_nano
    parent = (tmp_path / "traceparent").read_text()
    (attempt,) = found["count attempt"]
    assert parent == f"00-{attempt.trace_id.hex()}-{attempt.span_id.hex()}-01"


def test_later_a_run_is_told_exactly_as_it_was(tmp_path: Path) -> None:
    root = project(tmp_path, "{openlineage: {file: lineage.ndjson}, opentelemetry: {file: traces.ndjson}}")
    anabranch(root, "run")
    live = (root / "lineage.ndjson").read_text()
    assert anabranch(root, "runs", "export", "last", "--to", "openlineage", "-o", "-") == live
    told = result(root, "runs", "export")
    assert [(each["to"], each["messages"]) for each in told["exported"]] == [("openlineage", 6), ("opentelemetry", 5)]
    assert (root / "lineage.ndjson").read_text() == live * 2
    before, after = (
        (root / "traces.ndjson").read_text().splitlines()[:-1],
        (root / "traces.ndjson").read_text().splitlines()[-1],
    )
    once = [span for line in before for span in json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]]
    assert json.loads(after)["resourceSpans"][0]["scopeSpans"][0]["spans"] == once


def test_what_export_writes_is_no_code_so_a_retry_sees_no_change(tmp_path: Path) -> None:
    root = project(tmp_path, "{openlineage: {file: lineage.ndjson}}")
    (root / "traceparent").touch()  # the step's own file
    digests = []
    for _ in range(2):
        anabranch(root, "run")
        digests.append(result(root, "runs", "show")["run"]["code"])
    assert digests[0] == digests[1]


@pytest.mark.parametrize("mood", ["broken", "busy", "denies", "moved", "hangs up", "nonsense", "silent"])
def test_no_server_can_hurt_a_run(tmp_path: Path, mood: Mood) -> None:
    root = project(tmp_path, "{openlineage: {file: none}}")
    alone = timed(root)
    with Receiver([mood]) as receiver:
        both = f"{{openlineage: {{url: '{receiver.url}'}}, opentelemetry: {{endpoint: '{receiver.url}'}}}}"
        project(root, both)
        began = time.monotonic()
        told = anabranch(root, "run")
        took = time.monotonic() - began
    assert took < alone + 7  # the patience of a run's end, and some for a busy machine
    assert "daily succeeded" in told
    assert told.count("warning[export-undelivered]") == 2
    assert "6 events" in told
    assert "5 spans" in told
    run = result(root, "runs", "show")["run"]["id"]
    assert f"try: anabranch runs export {run} --to openlineage" in told
    with Receiver() as receiver:
        again = f"{{openlineage: {{url: '{receiver.url}'}}, opentelemetry: {{endpoint: '{receiver.url}'}}}}"
        (root / "anabranch.yaml").write_text(f"project: flights\npipelines: steps:daily\nexport: {again}\n")
        anabranch(root, "runs", "export", run)
        assert len(lineage(receiver)) == 6
        assert sorted(spans(receiver)) == ["clean", "clean attempt", "count", "count attempt", "daily"]


def test_a_slow_server_gets_what_it_takes_in_time_and_the_rest_later(tmp_path: Path) -> None:
    with Receiver(["slow"], patience=1.5) as receiver:
        root = project(tmp_path, f"{{openlineage: {{url: '{receiver.url}'}}}}")
        began = time.monotonic()
        told = anabranch(root, "run")
        took = time.monotonic() - began
        assert "events of run" in told
        assert "did not reach openlineage: that takes longer than 5 s" in told
        assert took < 14
        assert 0 < len(lineage(receiver)) < 6


def timed(root: Path) -> float:
    began = time.monotonic()
    anabranch(root, "run")
    return time.monotonic() - began


def test_a_server_that_stumbles_gets_everything_in_order_after_all(tmp_path: Path) -> None:
    moods: list[Mood] = ["busy", "hangs up", "well"]
    with Receiver(moods) as receiver:
        root = project(tmp_path, f"{{openlineage: {{url: '{receiver.url}'}}}}", stumbles=True)
        (root / "steps.py").write_text((root / "steps.py").read_text().replace("delay=0.01", "delay=2"))
        told = anabranch(root, "run")
    assert "warning" not in told
    assert [each["eventType"] for each in lineage(receiver)] == [
        "START",
        "START",
        "COMPLETE",
        "START",
        "COMPLETE",
        "COMPLETE",
    ]


def test_nobody_there_costs_nothing_and_both_are_told(tmp_path: Path) -> None:
    root = project(
        tmp_path, f"{{openlineage: {{url: 'http://127.0.0.1:{free_port()}'}}, opentelemetry: {{file: t.ndjson}}}}"
    )
    began = time.monotonic()
    told = anabranch(root, "run")
    assert time.monotonic() - began < 10
    assert told.count("warning") == 1
    assert "does not answer: connection refused" in told
    assert (root / "t.ndjson").exists()


def test_a_secret_that_is_not_there_is_a_warning_and_one_that_is_goes_into_its_header_only(tmp_path: Path) -> None:
    with Receiver() as receiver:
        url = receiver.url
        export = (
            f"{{openlineage: {{url: '{url}', token: 'secret://env/LINEAGE_TOKEN'}}, "
            f"opentelemetry: {{endpoint: '{url}', headers: {{x-team: 'secret://env/TEAM_KEY'}}}}}}"
        )
        root = project(tmp_path, export)
        told = anabranch(root, "run", TEAM_KEY="hunter2")
        assert "the secret secret://env/LINEAGE_TOKEN (for token) is not there" in told
        assert lineage(receiver) == []
        assert {each.headers["x-team"] for each in receiver.sent} == {"hunter2"}
        anabranch(root, "runs", "export", "--to", "openlineage", LINEAGE_TOKEN="hunter3")
        assert {each.headers["authorization"] for each in receiver.sent if "authorization" in each.headers} == {
            "Bearer hunter3"
        }
        assert all(b"hunter" not in each.body for each in receiver.sent)
    everything = "".join(file.read_text(errors="ignore") for file in root.rglob("*") if file.is_file())
    assert "hunter" not in everything + told


def test_values_of_sensitive_columns_and_secrets_of_steps_stay_here(tmp_path: Path) -> None:
    with Receiver() as receiver:
        both = f"{{openlineage: {{url: '{receiver.url}'}}, opentelemetry: {{endpoint: '{receiver.url}'}}}}"
        root = project(tmp_path, both)
        (root / "broken").touch()
        text = (root / "steps.py").read_text()
        text = text.replace("@step(reads=tidy", "@step(secrets={'KEY': 'secret://env/MY_KEY'}, reads=tidy")
        (root / "steps.py").write_text(text)
        anabranch(root, "run", code=5, MY_KEY="hunter2")
        (root / "broken").unlink()
        text = text.replace(
            'return pl.DataFrame({"rows"', 'raise ValueError(os.environ["KEY"])\n    return pl.DataFrame({"rows"'
        )
        (root / "steps.py").write_text(text)
        anabranch(root, "run", code=4, MY_KEY="hunter2")
    sent = b"".join(each.body for each in receiver.sent).decode(errors="replace")
    for hidden in ("hunter2", "Lovelace", "Grace", "Hopper"):
        assert hidden not in sent
    failed = [each for each in lineage(receiver) if each["eventType"] == "FAIL" and each["outputs"]]
    (breach,) = failed[0]["outputs"][0]["facets"]["dataQualityAssertions"]["assertions"]
    assert breach == {"assertion": "null-value", "success": False, "column": "name"}
    assert failed[1]["run"]["facets"]["errorMessage"]["message"] == "ValueError: ***"


def test_a_run_that_is_stopped_is_aborted_and_one_that_was_killed_is_so_later(tmp_path: Path) -> None:
    root = project(tmp_path, "{openlineage: {file: lineage.ndjson}, opentelemetry: {file: traces.ndjson}}")
    slow = (
        (root / "steps.py")
        .read_text()
        .replace('Path("traceparent").write_text', "__import__('time').sleep(60)\n    Path('t').write_text")
    )
    (root / "steps.py").write_text(slow)
    events = interrupted(root, signal.SIGINT)
    assert [each["eventType"] for each in events[-2:]] == ["ABORT", "ABORT"]
    assert events[-1]["job"]["name"] == "daily"
    (root / "lineage.ndjson").unlink()
    events = interrupted(root, signal.SIGKILL)
    assert events[-1]["eventType"] == "START"
    told = anabranch(root, "runs", "export", "--to", "openlineage", "-o", "-").splitlines()
    ends = [json.loads(line) for line in told][-2:]
    assert [(each["eventType"], each["job"]["name"]) for each in ends] == [("ABORT", "daily.count"), ("ABORT", "daily")]
    assert ends[-1]["run"]["facets"]["errorMessage"]["message"] == "the process that drove the run has died"


def interrupted(root: Path, number: signal.Signals) -> list[dict[str, Any]]:
    """Start a run, and signal it once its second step has begun; return what was told of it."""
    file = root / "lineage.ndjson"
    running = subprocess.Popen([sys.executable, "-m", "anabranch", "run"], cwd=root, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not (file.exists() and "daily.count" in file.read_text()):
        time.sleep(0.02)
    os.kill(running.pid, number)
    running.communicate(timeout=30)
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_branch_is_told_as_a_branch_and_reads_main(tmp_path: Path) -> None:
    root = project(tmp_path, "{openlineage: {file: lineage.ndjson}, opentelemetry: {file: traces.ndjson}}")
    anabranch(root, "run")
    (root / "steps.py").write_text((root / "steps.py").read_text().replace('"rows"', '"number"'))
    anabranch(root, "branch", "create", "try")
    (root / "lineage.ndjson").unlink()
    anabranch(root, "branch", "run", "try")
    events = [json.loads(line) for line in (root / "lineage.ndjson").read_text().splitlines()]
    for event in events:
        demand_valid(event)
    assert {each["job"]["namespace"] for each in events} == {"flights@try"}
    (end,) = [each for each in events if each["eventType"] == "COMPLETE" and each["outputs"]]
    assert end["inputs"][0]["name"] == f"{root}/data/cleaned/tidy.parquet"
    assert end["outputs"][0]["name"] != f"{root}/data/final/total.csv"
    assert end["outputs"][0]["name"].startswith(f"{root}/data/")
    again = anabranch(root, "runs", "export", "--to", "openlineage", "-o", "-")
    assert again == (root / "lineage.ndjson").read_text()


def test_tests_of_pipelines_are_nobodys_business(tmp_path: Path) -> None:
    root = project(tmp_path, "{openlineage: {file: lineage.ndjson}}")
    tests = "tests: {two: {given: {orders: [{id: 1, name: a}]}, expect: {total: [{rows: 1}]}}}"
    (root / "steps.tests.yaml").write_text(tests)
    anabranch(root, "test", code=None)
    assert not (root / "lineage.ndjson").exists()


def test_variables_say_where_traces_go_and_may_switch_them_off(tmp_path: Path) -> None:
    with Receiver() as receiver:
        root = project(tmp_path, "{opentelemetry: }")
        anabranch(root, "run", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_SDK_DISABLED="true")
        assert receiver.asked == 0
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}
        variables |= {"OTEL_RESOURCE_ATTRIBUTES": "team=data", "OTEL_SERVICE_NAME": "etl"}
        anabranch(root, "run", **variables)
    told = ExportTraceServiceRequest.FromString(receiver.sent[0].body).resource_spans[0].resource
    assert attributes(told).items() >= {"service.name": "etl", "team": "data"}.items()


def test_committed_code_is_told_with_its_commit_and_never_with_a_login(tmp_path: Path) -> None:
    root = project(tmp_path, "{openlineage: {file: lineage.ndjson}}")
    (root / ".gitignore").write_text("data/\n.anabranch/\n__pycache__/\nstumbled\ntraceparent\n")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main"]
    remote = "https://me:hunter2@git.example/team/flights.git"
    for words in (["init", "-q"], ["remote", "add", "origin", remote], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], cwd=root, check=True)
    for _ in range(2):  # the second time there is a file of ours, which is no code
        anabranch(root, "run")
    text = (root / "lineage.ndjson").read_text()
    assert "hunter2" not in text
    commits = set(re.findall(r"https://git.example/team/flights/blob/([0-9a-f]{40})/steps.py#L\d+", text))
    assert len(commits) == 1
    assert anabranch(root, "runs", "export", "--to", "openlineage", "-o", "-").splitlines() == text.splitlines()[6:]
    (root / "steps.py").write_text((root / "steps.py").read_text() + "# changed\n")
    assert "sourceCodeLocation" not in anabranch(root, "runs", "export", "--to", "openlineage", "-o", "-")
