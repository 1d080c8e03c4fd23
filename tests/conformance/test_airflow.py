"""The same pipelines on this machine and on a real Airflow: what happened is the same, logically."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.engines import s3
from tests.platforms.openlineage_spec import demand_valid

from anabranch.app import Project
from anabranch.data.objects.store import objects
from anabranch.model.branch import Role
from anabranch.model.errors import AnabranchError, StepError
from anabranch.model.run import Recorded, Run, StepFailed, StepReused, StepStarted, StepSucceeded
from anabranch.platforms.airflow.dagfile import version_of
from tools import airflow

if TYPE_CHECKING:
    from collections.abc import Collection, Generator

pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.skipif(not airflow.COMMAND.exists(), reason="no Airflow: python3 tools/bootstrap.py airflow"),
]

HERE = Path(__file__).parent / "project"


class Told:
    def __init__(self) -> None:
        self.events: list[Recorded] = []

    def report(self, recorded: Recorded) -> None:
        self.events.append(recorded)


class Both:
    """The project with one storage for runs here, and another for runs on Airflow."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        shutil.copytree(HERE, folder / "project")
        file = folder / "project" / "anabranch.yaml"
        said = yaml.safe_load(file.read_text())
        said["storage"] = str(folder / "here")
        said["environments"] = {
            "real": {
                "airflow": {"dags": str(folder / "dags"), "url": url, "python": sys.executable},
                "storage": str(folder / "there"),
                "variables": {"ANABRANCH_TEST_VARIABLE": "given"},
            }
        }
        file.write_text(yaml.safe_dump(said))
        for name, rows in (("numbers", range(7)), ("nothing", range(0)), ("arrivals", range(3))):
            self.write(name, rows)

    @property
    def project(self) -> Project:
        return Project.load(self.folder / "project")

    def write(self, name: str, rows: range) -> None:
        for side in ("here", "there"):
            path = self.folder / side / "raw" / f"{name}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("id,n\n" + "".join(f"{i},{i * 3}\n" for i in rows))

    def run(self, name: str, given: Any = None, **params: Any) -> tuple[tuple[Run, Told], tuple[Run, Told]]:
        told = Told(), Told()
        mine, theirs = (
            {key: value.get(side, value) if isinstance(value, dict) else value for key, value in params.items()}
            for side in ("here", "there")
        )
        here = self.project.run(name, params=mine, input=given, reporter=told[0]).run
        there = self.project.remote("real").run(self.project.pipeline(name), theirs, given, told[1])
        return (here, told[0]), (there, told[1])


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """An S3 that the Airflow of these tests sees too."""
    with s3.serving(tmp_path_factory.mktemp("s3")) as given, pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        yield "s3://lake"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, bucket: str) -> Generator[Both]:  # noqa: ARG001 - it is seen
    folder = tmp_path_factory.mktemp("conformance")
    with airflow.serving(folder, folder / "dags") as url:
        found = Both(folder, url)
        found.project.deployment("real").apply(lambda _: None)
        yield found


def logical(run: Run) -> dict[str, Any]:
    """What a run means, whatever ran it."""
    return {
        "state": run.state,
        "params": {name: value for name, value in run.params if name != "marker"},
        "input": run.input,
        "steps": {
            step.step: (
                step.state,
                step.attempts,
                step.value,
                [(port.dataset, port.rows, port.version) for port in step.reads],
                [(port.dataset, port.rows) for port in step.writes],
                (step.failure.kind, step.failure.code) if step.failure else None,
                step.because,
            )
            for step in run.steps
        },
    }


def in_order(project: Project, run: Run, told: Told, given: Collection[str] = ()) -> None:
    """No step started before those that it waits for had ended well; each started as often as it was tried."""
    upstream = project.pipeline(run.pipeline).upstream
    done: set[str] = set(given)
    starts: dict[str, int] = {}
    for each in told.events:
        match each.event:
            case StepStarted(step):
                assert set(upstream[step]) <= done
                starts[step] = starts.get(step, 0) + 1
            case StepSucceeded(step) | StepReused(step):
                done.add(step)
            case StepFailed(step):
                assert step not in done
            case _:
                pass
    assert starts == {step.step: step.attempts for step in run.steps if step.attempts}


CASES: dict[str, dict[str, Any]] = {
    "diamond": {},
    "fan_out": {},
    "partial": {},
    "timeout": {},
    "typed": {"day": "2020-02-29", "count": "41", "share": "0.25", "loud": "yes"},
    "values": {"given": {"n": 5}},
    "breach": {},
    "empty": {},
    "inner": {},
}


@pytest.mark.parametrize("name", CASES)
def test_a_pipeline_means_the_same_on_airflow(both: Both, name: str) -> None:
    (here, told_here), (there, told_there) = both.run(name, **CASES[name])
    assert logical(there) == logical(here)
    in_order(both.project, here, told_here)
    in_order(both.project, there, told_there)
    shown = {run.id: run for run in both.project.remote("real").newest(name, 5)}
    assert logical(shown[there.id]) == logical(here)


def test_a_step_is_tried_again_and_its_dependants_wait(both: Both) -> None:
    markers = {side: str(both.folder / f"marker-{side}") for side in ("here", "there")}
    (here, told_here), (there, told_there) = both.run("flaky", marker=markers)
    assert there.state == here.state == "succeeded"
    assert logical(there) == logical(here)
    assert there.step_by_id[here.steps[0].step].attempts == 2
    in_order(both.project, here, told_here)
    in_order(both.project, there, told_there)


def test_what_others_are_told_of_a_run_is_the_same(both: Both) -> None:
    (here, _), (there, _) = both.run("partial")

    def lineage(project: Project, run: Run) -> tuple[set[str], list[tuple[str, str]]]:
        events = [json.loads(line) for line in project.told(project.past(run.id), "openlineage")]
        for each in events:
            demand_valid(each)
        jobs = sorted((each["job"]["name"], each["eventType"]) for each in events)
        return {each["job"]["namespace"] for each in events}, jobs

    def spans(project: Project, run: Run) -> list[tuple[str, str]]:
        (line,) = project.told(project.past(run.id), "opentelemetry")
        found = json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]
        return sorted((each["name"], each["status"].get("message", "")) for each in found)

    elsewhere = both.project.at("real")
    mine, theirs = lineage(both.project, here), lineage(elsewhere, there)
    assert (mine[0], theirs[0]) == ({"conformance"}, {"conformance/real"})
    assert theirs[1] == mine[1]
    assert spans(elsewhere, there) == spans(both.project, here)


def test_incremental_data_grows_alike(both: Both) -> None:
    for rows in (range(3), range(3), range(5)):
        both.write("arrivals", rows)
        (here, _), (there, _) = both.run("incremental")
        assert logical(there) == logical(here)
    assert [(stats.dataset, stats.rows) for stats in there.steps[0].reads] == [("arrivals", 2)]


def test_a_retry_runs_the_fixed_code_and_only_what_is_needed(both: Both) -> None:
    """The complaint that every peer has: the old code again, or everything again."""
    steps = both.folder / "project" / "steps.py"
    before = steps.read_text()
    remote = both.project.remote("real")
    failed = remote.run(both.project.pipeline("partial"), {}, None, Told())
    steps.write_text(before.replace('raise ValueError("never")', 'return "mended"'))
    try:
        project = both.project
        project.deployment("real").apply(lambda _: None)
        again = project.remote("real").retry(failed.id, (), Told())
        assert again.state == "succeeded"
        assert {step.step: step.value for step in again.steps}["further"] == "after after mended"
        tries = {step.step: step.attempts for step in again.steps}
        assert tries["fine"] == tries["beside"] == 1
    finally:
        steps.write_text(before)
        both.project.deployment("real").apply(lambda _: None)


def test_a_run_is_cancelled_and_its_log_is_read(both: Both) -> None:
    project = both.project
    remote = project.remote("real")
    pipeline = project.pipeline("timeout")
    run = remote.run(pipeline, {}, None, Told(), wait=False)
    project.at("real").find(run.id)[0].cancel(run.id)
    told = remote.follow(pipeline, run.id, Told())
    assert told.state == "cancelled"
    assert not any(step.state.ok for step in told.steps)
    with pytest.raises(AnabranchError, match="has ended already"):
        project.at("real").find(run.id)[0].cancel(run.id)
    done = remote.run(project.pipeline("diamond"), {}, None, Told())
    log = remote.of(project.pipeline("diamond")).log(done.id, done.steps[0].step, 1)
    assert log == "wrote started: 7 rows\n"


def test_airflow_has_no_import_error_and_imports_no_code_of_ours(both: Both) -> None:
    remote = both.project.remote("real")
    assert list(remote.api.pages("/importErrors", "import_errors")) == []
    dags = {dag["dag_id"] for dag in remote.api.pages("/dags", "dags")}
    assert dags == {f"conformance.{name}" for name in both.project.pipelines}
    text = (both.folder / "dags" / "conformance" / "conformance.diamond.py").read_text()
    assert "import anabranch" not in text


def test_a_branch_runs_beside_main_and_leaves_nothing(both: Both) -> None:
    """Only the changed step's code is new; what follows runs main's payload, given the branch's locations."""
    main = both.folder / "there"
    both.project.remote("real").run(both.project.pipeline("diamond"), {}, None, Told())
    steps = both.folder / "project" / "steps.py"
    before = steps.read_text()
    everything = inventory(main, "")
    dags = {path: path.read_bytes() for path in (both.folder / "dags").rglob("*.py")}
    steps.write_text(before.replace('pl.col("n") * 10', 'pl.col("n") * 11'))
    try:
        there = both.project.at("real")
        branch = there.branches.create("more", "diamond")
        assert [(reason.step, reason.role) for reason in branch.reasons] == [
            ("right", Role.CHANGED),
            ("join", Role.DOWNSTREAM),
        ]
        told = Told()
        done = there.branches.run("more", reporter=told)
        assert done is not None
        assert done.ok, [step.failure for step in done.run.steps]
        assert {step.step: step.attempts for step in done.run.steps} == {"right": 1, "join": 1}
        in_order(both.project, done.run, told, given={"start", "left"})
        new = [path for path in (both.folder / "dags").rglob("*.py") if path not in dags]
        assert len(new) == 1
        assert new[0].read_text().count('payload="') == 1  # join: the payload is main's
        report = there.branches.deltas("more")
        found = {delta.dataset: (delta.changed, delta.added, delta.removed) for delta in report.datasets}
        assert found == {"rights": (0, 6, 6), "joined": (3, 0, 0)}
        assert inventory(main) == {name: body for name, body in everything.items() if not name.startswith(OURS)}
        there.branches.drop("more")
        assert inventory(main, "") == everything
        assert not [path for path in main.rglob("*") if "more" in path.name]
        assert {path: path.read_bytes() for path in (both.folder / "dags").rglob("*.py")} == dags
    finally:
        steps.write_text(before)


def test_a_buggy_step_of_a_branch_cannot_write_to_main(both: Both) -> None:
    main = both.folder / "there"
    both.project.remote("real").run(both.project.pipeline("diamond"), {}, None, Told())
    steps = both.folder / "project" / "steps.py"
    before = steps.read_text()
    victim = main / "cleaned" / "rights.parquet"
    bug = f"Path({str(victim)!r}).write_text('gone')\n    return started.with_columns(pl.col(\"n\") * 10)"
    steps.write_text(before.replace('return started.with_columns(pl.col("n") * 10)', bug))
    lying = inventory(main)
    try:
        there = both.project.at("real")
        there.branches.create("buggy", "diamond")
        done = there.branches.run("buggy", reporter=Told())
        assert done is not None
        assert not done.ok
        failure = next(step.failure for step in done.run.steps if step.failure)
        assert failure.code == "outside-branch", failure
        assert inventory(main) == lying
        there.branches.drop("buggy")
    finally:
        steps.write_text(before)


def test_a_dag_file_that_airflow_cannot_import_is_told_with_its_words(both: Both) -> None:
    project = both.project
    file = both.folder / "dags" / "conformance" / "conformance.empty.py"
    good = file.read_text()
    version = version_of(good)
    file.write_text(good.replace(version, "version-000000000000") + "\nraise RuntimeError('spoilt')\n")
    try:
        with pytest.raises(StepError, match="spoilt") as caught:
            project.remote("real").run(project.pipeline("empty"), {}, None, Told())
        assert caught.value.code == "dag-import-error"
        assert [change.why for change in project.deployment("real").plan().changes] == ["it was changed by hand"]
    finally:
        project.deployment("real").apply(lambda _: None)
    assert file.read_text() == good
    assert project.remote("real").run(project.pipeline("empty"), {}, None, Told()).state == "succeeded"


def test_delivered_by_buckets_as_a_managed_airflow_has_them(both: Both, bucket: str) -> None:
    """DAG files, payloads, data and state in S3. What MWAA does, bringing DAG files to its folder, the test does."""
    file = both.folder / "project" / "anabranch.yaml"
    said = yaml.safe_load(file.read_text())
    orchestrator = {**said["environments"]["real"]["airflow"], "dags": f"{bucket}/dags"}
    places = {name: f"{bucket}/{name}" for name in ("storage", "artifacts", "state")}
    said["project"] = "managed"
    said["environments"] = {"managed": {"airflow": orchestrator, **places}}
    root = both.folder / "managed"
    shutil.copytree(both.folder / "project", root, ignore=shutil.ignore_patterns(".anabranch"))
    (root / "anabranch.yaml").write_text(yaml.safe_dump(said))
    project = Project.load(root)
    objects(places["storage"]).put("raw/numbers.csv", (both.folder / "there" / "raw" / "numbers.csv").read_bytes())
    deployment = project.deployment("managed")
    deployment.apply(lambda _: None)
    assert deployment.plan().changes == ()
    delivered = deployment.dag_file("managed.diamond")
    assert delivered is not None
    target = both.folder / "dags" / "managed" / "managed.diamond.py"
    target.parent.mkdir()
    target.write_text(delivered)
    (here, _), _ = both.run("diamond")
    there = project.remote("managed").run(project.pipeline("diamond"), {}, None, Told())
    assert logical(there) == logical(here)
    assert objects(places["storage"]).read("final/joined.jsonl")
    target.unlink()
    deployment.apply(lambda _: None, destroy=True)
    assert not objects(f"{bucket}/dags").list("")
    assert not objects(places["artifacts"]).list("")


OURS = ("_branches", "_anabranch")
"""Where, below main's storage, we keep what is no dataset."""


def inventory(storage: Path, without: str | tuple[str, ...] = OURS) -> dict[str, bytes]:
    """The files below a storage; by default those of main's datasets."""
    found = {path.relative_to(storage).as_posix(): path for path in storage.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not (without and name.startswith(without))}


def test_destroyed_pipelines_are_gone(both: Both) -> None:
    """Last in this file: nothing of ours is left in either folder, and a later apply brings it back."""
    deployment = both.project.deployment("real")
    deployment.apply(lambda _: None, destroy=True)
    assert not list((both.folder / "dags").rglob("*.py"))
    assert not [path for path in (both.folder / "there" / "_anabranch" / "artifacts").rglob("*") if path.is_file()]
    assert deployment.plan(destroy=True).changes == ()
    assert (both.folder / "there" / "final" / "joined.jsonl").exists()
