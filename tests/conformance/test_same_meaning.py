"""The same pipelines on this machine and on each platform: what happened is the same, logically."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest
from tests.conformance.both import Both, Told, in_order, logical
from tests.platforms.openlineage_spec import demand_valid

from anabranch.app import Project
from anabranch.cli.followfar import follow_elsewhere
from anabranch.model.branch import Role
from anabranch.model.errors import AnabranchError
from anabranch.model.run import AttemptFailed, Run, StepStarted

pytestmark = [pytest.mark.engine, pytest.mark.slow]

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
def test_a_pipeline_means_the_same_there(both: Both, name: str) -> None:
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
    assert (mine[0], theirs[0]) == ({both.project.name}, {f"{both.project.name}/real"})
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
        told = Told()
        assert project.at("real").runs.run(failed.id).state == "failed"
        assert '+    return "mended"' in project.remote("real").undeployed(project.pipeline("partial"))
        project.deployment("real").apply(lambda _: None)
        assert not project.remote("real").undeployed(project.pipeline("partial"))
        again = project.remote("real").retry(failed.id, (), told)
        begun = {(event.step, event.attempt) for each in told.events if isinstance(event := each.event, StepStarted)}
        assert begun == {("broken", 3), ("behind", 1), ("further", 1)}
        assert not any(isinstance(each.event, AttemptFailed) for each in told.events)  # of what failed before
        assert again.state == project.at("real").runs.run(failed.id).state == "succeeded"
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
    assert not told.step_by_id["slow"].state.ok
    with pytest.raises(AnabranchError, match="has ended already"):
        project.at("real").find(run.id)[0].cancel(run.id)
    done = remote.run(project.pipeline("diamond"), {}, None, Told())
    log = remote.of(project.pipeline("diamond")).log(done.id, done.steps[0].step, 1)
    assert log == "wrote started: 7 rows\n"
    runs, found = project.at("real").find(done.id)
    followed = follow_elsewhere(runs, found, {done.steps[0].step}, None)
    assert [(attempt, text) for _, attempt, text in followed] == [(1, log.encode())]


def test_logs_are_followed_while_a_run_goes_on(both: Both) -> None:
    pipeline = both.project.pipeline("flaky")
    marker = str(both.folder / "followed")
    run = both.project.remote("real").run(pipeline, {"marker": marker}, None, Told(), wait=False)
    runs, found = both.project.at("real").find(run.id)
    heard: dict[int, str] = {}
    for _, attempt, text in follow_elsewhere(runs, found, None, None):
        heard[attempt] = heard.get(attempt, "") + text.decode()
    assert heard == {number: runs.log(run.id, pipeline.steps[0].id, number) for number in heard}
    assert "not yet" in heard[1]


def test_a_branch_runs_beside_main_and_leaves_nothing(both: Both) -> None:
    """Only the changed step's code is new; what follows runs main's job, given the branch's locations."""
    both.project.remote("real").run(both.project.pipeline("diamond"), {}, None, Told())
    steps = both.folder / "project" / "steps.py"
    before = steps.read_text()
    everything, jobs = both.lying(), both.deployed()
    steps.write_text(before.replace('pl.col("n") * 10', 'pl.col("n") * 11'))
    try:
        there = both.project.at("real")
        branch = there.branches.create("more", "diamond")
        assert [(reason.step, reason.role) for reason in branch.reasons] == [
            ("right", Role.CHANGED),
            ("join", Role.DOWNSTREAM),
        ]
        assert bool(there.policy(branch)) == both.narrows
        told = Told()
        done = there.branches.run("more", reporter=told)
        assert done is not None
        assert done.ok, [step.failure for step in done.run.steps]
        assert {step.step: step.attempts for step in done.run.steps} == {"right": 1, "join": 1}
        in_order(both.project, done.run, told, given={"start", "left"})
        both.only_one_job_is_new(jobs)
        with pytest.raises(AnabranchError, match="in use: more"):
            both.project.deployment("real").destroy(lambda _: None)
        report = there.branches.deltas("more")
        found = {delta.dataset: (delta.changed, delta.added, delta.removed) for delta in report.datasets}
        assert found == {"rights": (0, 6, 6), "joined": (3, 0, 0)}
        assert both.datasets() == {name: body for name, body in everything.items() if not name.startswith("_")}
        there.branches.drop("more")
        assert both.lying() == everything
        assert both.deployed() == jobs
    finally:
        steps.write_text(before)


def test_a_buggy_step_of_a_branch_cannot_write_to_main(both: Both) -> None:
    both.project.remote("real").run(both.project.pipeline("diamond"), {}, None, Told())
    steps = both.folder / "project" / "steps.py"
    before = steps.read_text()
    steps.write_text(
        before.replace('return started.with_columns(pl.col("n") * 10)', both.bug("cleaned/rights.parquet"))
    )
    lying = both.datasets()
    try:
        there = both.project.at("real")
        there.branches.create("buggy", "diamond")
        done = there.branches.run("buggy", reporter=Told())
        assert done is not None
        assert not done.ok
        failure = next(step.failure for step in done.run.steps if step.failure)
        assert failure.code == both.forbidden, failure
        assert both.datasets() == lying
        there.branches.drop("buggy")
    finally:
        steps.write_text(before)


def test_a_branch_is_carved_where_main_was_not_deployed_from(both: Both) -> None:
    """Another clone, whose code has changed already, has never seen the code that main runs."""
    both.project.remote("real").run(both.project.pipeline("diamond"), {}, None, Told())
    clone = both.folder / "clone"
    shutil.copytree(both.folder / "project", clone, ignore=shutil.ignore_patterns(".anabranch", "__pycache__"))
    steps = clone / "steps.py"
    steps.write_text(steps.read_text().replace('pl.col("n") * 10', 'pl.col("n") * 12'))
    there = Project.load(clone).at("real")
    branch = there.branches.create("far", "diamond")
    try:
        assert [(each.step, each.role) for each in branch.reasons] == [
            ("right", Role.CHANGED),
            ("join", Role.DOWNSTREAM),
        ]
    finally:
        there.branches.drop("far")
        shutil.rmtree(clone)
