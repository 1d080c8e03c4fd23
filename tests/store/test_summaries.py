"""What is kept of ended runs says the same as their events, whoever ended them and whenever it was kept."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from anabranch.model.call import ShellCall
from anabranch.model.pipeline import Pipeline, Step, StepId
from anabranch.model.run import (
    Event,
    Failure,
    PortStats,
    RunEnded,
    RunId,
    RunStarted,
    RunState,
    StepFailed,
    StepReused,
    StepSkipped,
    StepStarted,
    StepSucceeded,
)
from anabranch.model.summary import briefs, summarise
from anabranch.store.runs import SqliteRunStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

A, B, C = map(StepId, "abc")
PIPELINE = Pipeline("p", tuple(Step(step, ShellCall(("true",))) for step in (A, B, C)))
WRITTEN = PortStats("out", "legs", 7, 700, "sha256:1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteRunStore]:
    """An empty store."""
    made = SqliteRunStore(tmp_path)
    yield made
    made.close()


def tell(store: SqliteRunStore, run: str, *events: Event, of: str = "", namespace: str = "main") -> RunId:
    """Record a run."""
    first = RunStarted("p", (A, B, C), namespace, (("day", "2013-01-05"),), {"k": [1]}, of=RunId(of) if of else None)
    store.begin(RunId(run), PIPELINE, first)
    for event in events:
        store.append(RunId(run), [event])
    return RunId(run)


OK: tuple[Event, ...] = (
    StepStarted(A),
    StepSucceeded(A, 1, 0.5, (PortStats("in", "raw", 9, 90), PortStats("x", "y")), (WRITTEN,)),
    StepReused(B, RunId("zzzz"), (WRITTEN,)),
    StepSucceeded(C),
    RunEnded(RunState.SUCCEEDED, 2.0),
)
BROKEN: tuple[Event, ...] = (
    StepStarted(A),
    StepFailed(A, 2, Failure("error", "x")),
    StepSkipped(B, A),
    StepSkipped(C, B),
    RunEnded(RunState.FAILED, 1.0, "why"),
)


def test_a_summary_is_the_fold_of_the_events(store: SqliteRunStore) -> None:
    for run, events in (("aaaa", OK), ("bbbb", BROKEN)):
        tell(store, run, *events, of="aaaa" if run == "bbbb" else "")
    tell(store, "cccc", *OK[:2])
    told = store.summaries.newest()
    other = SqliteRunStore(store.folder)
    assert [each.id for each in told] == ["cccc", "bbbb", "aaaa"]
    assert told == tuple(summarise(other.run(each.id)) for each in told)
    found = store.summaries.steps([each.id for each in told])
    assert found == {each.id: briefs(other.run(each.id)) for each in told}
    assert found[RunId("aaaa")][0].rows_in == 9
    other.close()


def test_runs_are_chosen_by_state_whether_kept_or_alive(store: SqliteRunStore) -> None:
    tell(store, "aaaa", *OK)
    tell(store, "bbbb", *BROKEN)
    tell(store, "cccc", *OK[:1])
    for state, run in ((RunState.SUCCEEDED, "aaaa"), (RunState.FAILED, "bbbb"), (RunState.RUNNING, "cccc")):
        assert [each.id for each in store.summaries.newest(state=state)] == [run]
    assert [each.id for each in store.summaries.newest(limit=1, skip=1)] == ["bbbb"]
    assert [each.id for each in store.summaries.of([RunId("aaaa"), RunId("none")])] == ["aaaa"]


def test_what_a_dataset_got_is_told_newest_first_and_what_was_reused_is_not(store: SqliteRunStore) -> None:
    tell(store, "aaaa", *OK)
    tell(store, "bbbb", *OK[:2], namespace="fix")
    told = store.summaries.writes("legs")
    assert [(each.run, each.step, each.rows, each.version) for each in told] == [
        ("bbbb", A, 7, "sha256:1"),
        ("aaaa", A, 7, "sha256:1"),
    ]
    assert [each.run for each in store.summaries.writes("legs", namespace="main")] == ["aaaa"]


def test_retries_of_a_run_are_found(store: SqliteRunStore) -> None:
    tell(store, "aaaa", *BROKEN)
    tell(store, "bbbb", *OK, of="aaaa")
    tell(store, "cccc", *OK[:1], of="aaaa")
    assert [each.id for each in store.summaries.retries(RunId("aaaa"))] == ["cccc", "bbbb"]


def test_runs_of_before_summaries_were_kept_are_kept_when_asked_for(store: SqliteRunStore) -> None:
    tell(store, "aaaa", *OK)
    with sqlite3.connect(store.path) as db:
        db.execute("DELETE FROM summaries")
        db.execute("DELETE FROM writes")
    assert [each.state for each in store.summaries.newest()] == [RunState.SUCCEEDED]
    with sqlite3.connect(store.path) as db:
        assert db.execute("SELECT count(*) FROM summaries").fetchone() == (1,)
    assert [each.run for each in store.summaries.writes("legs")] == ["aaaa"]


def test_nothing_is_kept_of_a_branch_that_is_forgotten(store: SqliteRunStore) -> None:
    tell(store, "aaaa", *OK, namespace="fix")
    store.forget("fix")
    with sqlite3.connect(store.path) as db:
        assert db.execute("SELECT (SELECT count(*) FROM summaries), (SELECT count(*) FROM writes)").fetchone() == (0, 0)


def test_an_end_that_cannot_be_recorded_leaves_no_summary(store: SqliteRunStore) -> None:
    tell(store, "aaaa", *OK[:2])
    with sqlite3.connect(store.path) as db:
        db.execute("DROP TABLE writes")
    with pytest.raises(Exception, match="no such table"):
        store.append(RunId("aaaa"), [RunEnded(RunState.SUCCEEDED)])
    assert store.run(RunId("aaaa")).state is RunState.RUNNING
