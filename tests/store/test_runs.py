"""The store of runs: what it has said it keeps, and it knows the dead from the living."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from importlib import resources
from typing import TYPE_CHECKING

import pytest

from anabranch.model.call import ShellCall
from anabranch.model.errors import AnabranchError, ConflictError, NotFoundError, UsageError
from anabranch.model.pipeline import Pipeline, Step, StepId
from anabranch.model.run import (
    Event,
    Failure,
    Recorded,
    RunEnded,
    RunId,
    RunStarted,
    RunState,
    StepFailed,
    StepStarted,
    StepState,
    StepSucceeded,
)
from anabranch.store.runs import SqliteRunStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

A = StepId("a")
PIPELINE = Pipeline("p", (Step(A, ShellCall(("true",))),))


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteRunStore]:
    """An empty store."""
    made = SqliteRunStore(tmp_path, Clock())
    yield made
    made.close()


def begin(store: SqliteRunStore, run: str) -> RunId:
    """Start a run of one step."""
    store.begin(RunId(run), PIPELINE, RunStarted("p", (A,)))
    return RunId(run)


def test_a_run_is_what_its_events_tell(store: SqliteRunStore) -> None:
    """Another reader sees the same."""
    run = begin(store, "aaaa")
    store.append(run, [StepStarted(A), StepSucceeded(A, value=[1])])
    store.append(run, [RunEnded(RunState.SUCCEEDED, 1.0)])
    other = SqliteRunStore(store.folder)
    told = other.run(run)
    other.close()
    assert (told.state, told.step_by_id[A].state, told.step_by_id[A].value) == (
        RunState.SUCCEEDED,
        StepState.SUCCEEDED,
        [1],
    )
    assert store.definition(run) == PIPELINE
    assert [each.seq for each in store.events(run)] == [1, 2, 3, 4]
    assert [each.seq for each in store.events(run, after=2)] == [3, 4]


def test_a_run_that_was_told_elsewhere_is_kept_as_it_is_told_now(store: SqliteRunStore) -> None:
    """Also where it was known otherwise: it was retried there, or who recorded it was cut off."""
    run = begin(store, "aaaa")
    told: list[Event] = [RunStarted("p", (A,)), StepStarted(A), StepFailed(A, 1, Failure("error", "no"))]
    told += [RunEnded(RunState.FAILED)]
    store.copy(PIPELINE, [Recorded(run, i, 50.0 + i, event) for i, event in enumerate(told)])
    assert (store.run(run).state, store.run(run).started_at) == (RunState.FAILED, 50.0)
    told[-1:] = [StepStarted(A, 2), StepSucceeded(A, 2), RunEnded(RunState.SUCCEEDED)]
    store.copy(PIPELINE, [Recorded(run, i, 50.0 + i, event) for i, event in enumerate(told)])
    assert store.run(run).state is RunState.SUCCEEDED
    assert [each.id for each in store.runs("p")] == [run]
    assert [each.state for each in store.summaries.newest("p", None, 5)] == [RunState.SUCCEEDED]


def test_order_is_by_sequence_when_the_clock_jumps_back(store: SqliteRunStore) -> None:
    """Neither the order of events nor that of runs comes from the clock."""
    clock = store._clock
    assert isinstance(clock, Clock)
    first = begin(store, "aaaa")
    store.append(first, [StepStarted(A)])
    clock.now = 10.0
    store.append(first, [StepSucceeded(A), RunEnded(RunState.SUCCEEDED)])
    second = begin(store, "bbbb")
    assert store.run(first).state is RunState.SUCCEEDED
    assert [run.id for run in store.runs()] == [second, first]
    assert store.resolve("last") == second


def test_a_run_whose_process_was_killed_is_dead_at_once(tmp_path: Path) -> None:
    """No time-out is waited for: the kernel has dropped the lock."""
    code = f"""
import os, sys
from tests.store.test_runs import *
store = SqliteRunStore(__import__("pathlib").Path({str(tmp_path)!r}))
store.append(begin(store, "aaaa"), [StepStarted(A)])
print("ready", flush=True)
sys.stdin.read()
"""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == b"ready\n"
    store = SqliteRunStore(tmp_path)
    assert store.run(RunId("aaaa")).state is RunState.RUNNING
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    child.stdin.close()
    assert store.run(RunId("aaaa")).state is RunState.DEAD
    assert store.run(RunId("aaaa")).step_by_id[A].state is StepState.RUNNING
    store.cancel(RunId("aaaa"))
    assert store.run(RunId("aaaa")).state is RunState.CANCELLED
    store.close()


def test_cancel_reaches_the_run(store: SqliteRunStore) -> None:
    """The next beat tells it; an ended run cannot be cancelled."""
    run = begin(store, "aaaa")
    assert store.beat(run) is False
    other = SqliteRunStore(store.folder)
    other.cancel(run)
    other.close()
    assert store.beat(run) is True
    store.append(run, [RunEnded(RunState.CANCELLED)])
    with pytest.raises(ConflictError):
        store.cancel(run)


def test_ids_resolve_by_unique_prefix(store: SqliteRunStore) -> None:
    """`last`, a prefix, the whole; but not two at once, and no wildcard."""
    begin(store, "abcd")
    begin(store, "abxy")
    assert store.resolve("abc") == "abcd"
    assert store.resolve("last") == "abxy"
    with pytest.raises(UsageError) as several:
        store.resolve("ab")
    assert "abcd" in several.value.hint
    for nothing in ("zz", "%", "a_cd"):
        with pytest.raises(NotFoundError):
            store.resolve(nothing)


def test_a_store_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    """It is refused with a way out, and not a byte of it changes."""
    with sqlite3.connect(tmp_path / "state.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    before = (tmp_path / "state.db").read_bytes()
    with pytest.raises(ConflictError) as caught:
        SqliteRunStore(tmp_path).runs()
    assert caught.value.code == "newer-version"
    assert (tmp_path / "state.db").read_bytes() == before


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """The message says which file, and what may be done."""
    (tmp_path / "state.db").write_bytes(b"not a database, but long enough to look at" * 50)
    with pytest.raises(AnabranchError) as caught:
        SqliteRunStore(tmp_path).runs()
    assert "state.db" in caught.value.message
    assert "move the file away" in caught.value.hint


def test_a_failed_append_leaves_nothing(store: SqliteRunStore) -> None:
    """All events of one call, or none."""
    run = begin(store, "aaaa")
    with pytest.raises(AnabranchError):
        store.database.write(lambda db: (store._insert(db, run, [StepStarted(A)]), db.execute("NONSENSE")))
    assert [each.seq for each in store.events(run)] == [1]


def test_events_are_json_that_others_can_read(store: SqliteRunStore) -> None:
    """No pickles."""
    begin(store, "aaaa")
    with sqlite3.connect(store.path) as db:
        body = db.execute("SELECT body FROM events").fetchone()[0]
    db.close()
    assert json.loads(body) == {"is": "RunStarted", "pipeline": "p", "steps": ["a"]}


def test_migrations_are_counted_one_by_one() -> None:
    """Two of one number would be applied in another order, once they are renamed."""
    folder = resources.files("anabranch.store").joinpath("migrations")
    numbers = sorted(int(each.name.partition("_")[0]) for each in folder.iterdir() if each.name.endswith(".sql"))
    assert numbers == list(range(1, len(numbers) + 1))
