"""A deployment that asks its Airflow: what is missing, what stumbles, what is paused, what goes on, what is left."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.platforms import airflow_fake
from tests.platforms.airflow_fake import AFTER, BEFORE

from anabranch.app import Project
from anabranch.app.remote import HELD_EVERY
from anabranch.cli.face import Face
from anabranch.cli.progress.drive import retrying
from anabranch.cli.verbs.apply import meanwhile
from anabranch.model.errors import AnabranchError, ConflictError, NotFoundError, StepError, UsageError
from anabranch.model.resource import Address
from anabranch.platforms.airflow.deploy import AirflowFolder
from anabranch.store.files import LocalFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from tests.platforms.airflow_fake import Airflow

    from anabranch.model.run import Recorded, Run

SPEC = """
project: shop
pipelines: ["p.yaml"]
environments:
  prod:
    airflow: {{dags: ../dags, url: {url}{more}}}
    storage: ../lake
"""
STEPS = """
pipeline: daily
steps:
  first: {shell: [echo, one]}
  second: {shell: [echo, two], after: [first]}
"""
DAG = "shop.daily"


class Quiet:
    def report(self, recorded: Recorded) -> None:
        pass


@pytest.fixture
def airflow(tmp_path: Path) -> Generator[Airflow]:
    (tmp_path / "dags").mkdir()
    with airflow_fake.serving(tmp_path / "dags") as found:
        yield found


def project(airflow: Airflow, steps: str = STEPS, more: str = "") -> Project:
    root = airflow.folder.parent / "shop"
    root.mkdir(exist_ok=True)
    (root / "anabranch.yaml").write_text(SPEC.format(url=airflow.url, more=more))
    (root / "p.yaml").write_text(steps)
    return Project.load(root)


def deployed(airflow: Airflow, steps: str = STEPS) -> Project:
    found = project(airflow, steps)
    found.deployment("prod").apply(lambda _: None)
    return found


def run(found: Project, *, wait: bool = False) -> Run:
    return found.remote("prod").run(found.pipeline("daily"), {}, None, Quiet(), wait=wait)


def looked(found: Project) -> dict[str, str]:
    """What the preflight says, by code."""
    return {each.code: f"{each.severity}: {each.message}" for each in found.deployment("prod").preflight()}


# --- What is not there ---


def test_preflight_asks_airflow_for_all_that_steps_refer_to(airflow: Airflow) -> None:
    steps = """
pipeline: daily
steps:
  other: {native: {platform: airflow, job: theirs}}
  glue: {native: {platform: glue, job: nightly}}
"""
    found = project(airflow, steps, ", connections: {glue: lake}")
    told = looked(found)
    assert told["not-on-airflow"] == "error: step `other` starts the DAG theirs, which Airflow does not have"
    assert "apache-airflow-providers-amazon" in told["no-provider"]
    assert told["no-connection"].startswith("warning: Airflow has no connection `lake`")
    (airflow.folder / "theirs.py").write_text('    tags=["x"],\n')
    airflow.providers.append("apache-airflow-providers-amazon")
    airflow.connections.add("lake")
    assert not {"not-on-airflow", "no-provider", "no-connection", "not-looked-at"} & set(looked(found))
    airflow.dags["theirs"].paused = True
    assert "the step would wait for it" in looked(found)["dag-paused"]


def test_preflight_finds_a_dag_of_the_same_id_that_another_file_has(airflow: Airflow) -> None:
    (airflow.folder / "elsewhere").mkdir()
    (airflow.folder / "elsewhere" / f"{DAG}.py").write_text('    tags=["x"],\n')
    assert f"from elsewhere/{DAG}.py" in looked(project(airflow))["foreign-object"]


def test_preflight_tells_an_import_error_and_an_airflow_that_cannot_be_asked(airflow: Airflow) -> None:
    found = deployed(airflow)
    trace = "Traceback ...\nModuleNotFoundError: No module named 'airflow.providers.amazon'\n"
    airflow.errors.append({"filename": f"shop/{DAG}.py", "stack_trace": trace, "timestamp": "2026-01-01T00:00:00Z"})
    assert "No module named 'airflow.providers.amazon'" in looked(found)["dag-import-error"]
    airflow.trouble.append(("version", b"<html>a login page</html>"))
    assert looked(found)["not-airflow"].startswith("error: ")
    airflow.trouble += [("version", 503)] * 5
    assert looked(found)["not-looked-at"].startswith("warning: ")
    told = looked(project(airflow, more=", token: secret://env/NOT_HERE"))
    assert told["not-looked-at"].startswith("warning: ")
    assert "secret://env/NOT_HERE" in told["not-looked-at"]


# --- Starting ---


@pytest.mark.parametrize("how", [AFTER, BEFORE, 500, 503, 429])
def test_a_start_that_stumbles_is_asked_again_and_starts_one_run(airflow: Airflow, how: str | int) -> None:
    found = deployed(airflow)
    airflow.trouble.append(("POST .*dagRuns", how))
    started = run(found)
    assert [*airflow.dags[DAG].runs] == [started.id]


def test_a_start_that_never_answers_well_says_that_it_is_not_known(airflow: Airflow) -> None:
    found = deployed(airflow)
    airflow.trouble += [("POST .*dagRuns", AFTER)] + [("POST .*dagRuns", 500)] * 4
    with pytest.raises(StepError, match="is not known") as caught:
        run(found)
    (started,) = airflow.dags[DAG].runs
    assert started in caught.value.hint


def test_a_start_that_is_refused_is_told_as_that(airflow: Airflow) -> None:
    found = deployed(airflow)
    airflow.trouble.append(("POST .*dagRuns", 422))
    with pytest.raises(StepError, match="stumbled 422") as caught:
        run(found)
    assert caught.value.code == "airflow-refused"
    assert "not known" not in f"{caught.value.message} {caught.value.hint}"


def test_a_paused_dag_is_told_and_nothing_is_started(airflow: Airflow) -> None:
    found = deployed(airflow)
    airflow.look()
    airflow.dags[DAG].paused = True
    with pytest.raises(ConflictError) as caught:
        run(found)
    assert caught.value.code == "dag-paused"
    assert not airflow.dags[DAG].runs
    assert "runs of `daily` wait" in looked(found)["dag-paused"]


def test_a_run_whose_dag_is_paused_is_not_followed_for_ever(airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anabranch.app.remote.POLL", 0.01)
    found = deployed(airflow)
    started = run(found)
    airflow.dags[DAG].paused = True
    with pytest.raises(ConflictError) as caught:
        found.remote("prod").follow(found.pipeline("daily"), started.id, Quiet())
    assert caught.value.code == "run-held"
    assert sum(line.endswith(f"dagRuns/{started.id}") for line in airflow.asked) <= HELD_EVERY + 1


def test_what_the_log_says_of_a_killed_task_is_told(airflow: Airflow) -> None:
    found = deployed(airflow)
    started = run(found)
    airflow.end(DAG, started.id, "failed")
    oom = "Process terminated by signal. Likely out of memory error (OOM)."
    airflow.logs = {
        "first": [{"event": "Output:"}, {"event": "Command exited with return code -9"}],
        "second": [{"level": "critical", "event": oom}],
    }
    told = found.remote("prod").find(started.id)[1]
    assert found.remote("prod").follow(found.pipeline("daily"), started.id, Quiet()) == told
    failures = [step.failure for step in told.steps]
    assert [each.kind for each in failures if each] == ["killed", "killed"]
    assert "SIGKILL" in failures[0].message  # type: ignore[union-attr]
    assert oom in failures[1].message  # type: ignore[union-attr]


def test_a_retry_of_a_cancelled_run_does_all_that_was_not_done(
    airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow skips what had not begun when a run is stopped: what nobody clears stays so, and the run succeeds."""
    found = deployed(airflow, STEPS.replace(", after: [first]", ""))
    started = run(found)
    airflow.dags[DAG].states[started.id]["first"] |= {
        "state": "running",
        "try_number": 1,
        "start_date": "2020-01-01T00:00:00Z",
    }
    remote = found.remote("prod")
    remote.of(found.pipeline("daily")).cancel(started.id)
    assert {task["state"] for task in airflow.dags[DAG].states[started.id].values()} == {"failed", "skipped"}
    monkeypatch.setattr(remote, "follow", lambda *_: started)
    remote.retry(started.id, (), Quiet())
    assert {task["state"] for task in airflow.dags[DAG].states[started.id].values()} == {None}


def test_whoever_applies_during_a_run_is_told_which(airflow: Airflow) -> None:
    started = run(deployed(airflow))
    changed = project(airflow, STEPS.replace("one", "three")).deployment("prod")
    (said,) = meanwhile(changed, changed.plan())
    assert started.id in said
    airflow.end(DAG, started.id)
    assert not list(meanwhile(changed, changed.plan()))


def test_what_is_done_again_of_a_branch_s_run_is_the_branch_s(airflow: Airflow) -> None:
    """There is no retry of it elsewhere: it is driven from here."""
    face, mine = Face("run", environment="prod"), run(deployed(airflow))
    assert retrying(face, mine) == f"anabranch runs retry {mine.id} -e prod"
    assert retrying(face, replace(mine, namespace="fix")) == "anabranch branch run fix -e prod"


def test_one_run_is_found_without_asking_about_all(airflow: Airflow) -> None:
    """By its id, or by the beginning of it; what means several is refused with their names."""
    found = deployed(airflow)
    ids = []
    for _ in range(5):
        ids.append(run(found).id)
        airflow.end(DAG, ids[-1])
    airflow.asked.clear()
    assert found.remote("prod").find(ids[2][:7])[1].id == ids[2]
    assert sum("taskInstances" in line for line in airflow.asked) == 1
    assert found.remote("prod").find("last")[1].id == ids[-1]
    with pytest.raises(NotFoundError):
        found.remote("prod").find("nosuchrun")
    with pytest.raises(UsageError, match="means 5 runs") as caught:
        found.remote("prod").find("")
    assert ids[0] in caught.value.hint


# --- What is there ---


class Watched(LocalFiles):
    """A folder that remembers what was read of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.reads: list[str] = []

    def read(self, name: str) -> bytes | None:
        self.reads.append(name)
        return super().read(name)


def test_of_what_was_ever_delivered_only_what_is_wanted_is_read(airflow: Airflow) -> None:
    deployed(airflow)
    deployment = deployed(airflow, STEPS.replace("[echo, one]", "[echo, changed]")).deployment("prod")
    wanted = [each for each in deployment.resources() if each.kind == "artifact"]
    artifacts = Watched(Path(deployment.environment.artifacts))
    looking = AirflowFolder(LocalFiles(airflow.folder), artifacts, deployment.owner)
    there = looking.live(deployment.resources())
    assert sorted(artifacts.reads) == sorted(each.name for each in wanted)
    assert {each.name for each in there.values() if each.shared} > set(artifacts.reads)
    assert all(there[each.address].digest == each.digest for each in wanted)
    artifacts.write(wanted[0].name, b"somebody's own")
    (change,) = deployment.plan().changes
    assert (change.address, change.why) == (wanted[0].address, "it was changed by hand")


# --- Nothing left ---


def test_destroy_leaves_nothing_in_airflow_either_and_finishes_when_it_is_cut_off(airflow: Airflow) -> None:
    found = deployed(airflow)
    airflow.end(DAG, run(found).id)
    (airflow.folder / "mine.py").write_text('    tags=["anabranch", "shop/prod/main"],\n')  # a copy of ours
    for trouble in (("DELETE", 403), ("GET .*/dags$", 500)):
        airflow.trouble += [trouble] * 5
        with pytest.raises(AnabranchError):
            found.deployment("prod").destroy(lambda _: None)
        airflow.trouble.clear()
    assert DAG in airflow.dags
    airflow.late = 3  # it takes a while until the dag-processor notices
    assert not found.deployment("prod").destroy(lambda _: None).left
    assert [*airflow.dags] == ["mine"]


def test_whoever_deletes_what_was_found_lets_airflow_forget_it_only_when_all_is_to_go(airflow: Airflow) -> None:
    found = deployed(airflow)
    airflow.look()
    looking, deleting = (found.deployment("prod").platform for _ in range(2))
    address = Address(f"dag/{DAG}")
    deleting.delete(looking.live(found.deployment("prod").resources())[address])
    assert DAG in airflow.dags
    deleting.delete(looking.live([])[address])
    assert not airflow.dags


def test_destroy_waits_for_runs_that_go_on(airflow: Airflow) -> None:
    found = deployed(airflow)
    started = run(found)
    with pytest.raises(ConflictError) as caught:
        found.deployment("prod").destroy(lambda _: None)
    assert caught.value.code == "still-running"
    assert started.id in caught.value.message
    assert found.deployment("prod").plan().changes == ()
    found.remote("prod").of(found.pipeline("daily")).cancel(started.id)
    assert not found.deployment("prod").destroy(lambda _: None).left


# --- Branches ---

BRANCHED = STEPS.replace("[echo, two]", "[echo, three]")


def branched(airflow: Airflow) -> Project:
    """A deployed main, and a branch of its second step."""
    deployed(airflow)
    found = project(airflow, BRANCHED)
    found.at("prod").branches.create("b", at=["second"])
    return found


def branch_dag(airflow: Airflow) -> str:
    return next(name for name in airflow.dags if name.startswith(f"{DAG}."))


def while_it_goes_on(airflow: Airflow, act: Callable[[str, str], None]) -> None:
    """Do something with the branch's run, as soon as there is one."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for name, dag in list(airflow.dags.items()):
            if name.startswith(f"{DAG}.") and dag.runs:
                act(name, [*dag.runs][-1])
                return
        time.sleep(0.05)


FOLLOWER = "import sys; from anabranch.app import Project; Project.load(sys.argv[1]).at('prod').branches.run('b')"


def test_a_run_of_a_branch_outlives_the_process_that_followed_it(airflow: Airflow) -> None:
    found = branched(airflow)
    follower = subprocess.Popen([sys.executable, "-c", FOLLOWER, str(found.root)])
    while_it_goes_on(airflow, lambda _dag, _run: os.kill(follower.pid, signal.SIGKILL))
    assert follower.wait(30) == -signal.SIGKILL
    dag = branch_dag(airflow)
    (started,) = airflow.dags[dag].runs
    assert found.at("prod").find(started)[1].state == "running"
    with pytest.raises(ConflictError) as caught:
        found.at("prod").branches.drop("b")
    assert caught.value.code == "branch-busy"
    airflow.end(dag, started)
    told = found.at("prod")
    assert told.find(started)[1].state == "succeeded"
    assert told.runs.run(told.runs.resolve(started)).state == "succeeded"
    told.branches.drop("b")
    assert not [name for name in airflow.dags if name.startswith(f"{DAG}.")]


def test_a_forced_drop_stops_the_run_first(airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anabranch.platforms.airflow.drive.DYING", 0.5)
    found = branched(airflow)
    follower = subprocess.Popen([sys.executable, "-c", FOLLOWER, str(found.root)])
    while_it_goes_on(airflow, lambda _dag, _run: os.kill(follower.pid, signal.SIGKILL))
    follower.wait(30)
    found.at("prod").branches.drop("b", force=True)
    assert any(re.match(r"PATCH .*/dagRuns/", line) for line in airflow.asked)
    assert [*airflow.dags] == [DAG]


def test_main_is_not_destroyed_under_a_branch_that_runs_its_payload(airflow: Airflow) -> None:
    deployed(airflow)
    found = project(airflow, STEPS.replace("[echo, one]", "[echo, changed]"))
    there = found.at("prod")
    there.branches.create("b", at=["first"])
    ending = threading.Thread(target=while_it_goes_on, args=(airflow, airflow.end))
    ending.start()
    there.branches.run("b")
    ending.join()
    with pytest.raises(ConflictError) as caught:
        found.deployment("prod").destroy(lambda _: None)
    assert caught.value.code == "in-use"
    there.branches.drop("b")
    assert not found.deployment("prod").destroy(lambda _: None).left
    assert not airflow.dags
