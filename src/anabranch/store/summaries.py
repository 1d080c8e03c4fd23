"""What is kept of runs that have ended, so that a page of many runs folds none of them."""

from __future__ import annotations

import json
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from anabranch.model.run import RunId, RunState, StepState
from anabranch.model.summary import StepBrief, Summary, Write, briefs, summarise, writes

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from anabranch.model.pipeline import StepId
    from anabranch.model.run import Run
    from anabranch.store.runs import SqliteRunStore

LIVE = frozenset({RunState.RUNNING, RunState.DEAD})
"""States of runs that have not ended, of which nothing is kept."""

_COLUMNS = "runs.id, runs.pipeline, runs.namespace, s.state, s.started_at, s.ended_at, s.seconds, s.head"
_FROM = "FROM runs LEFT JOIN summaries s USING (position)"


def note(db: sqlite3.Connection, run: Run) -> None:
    """Keep a run that has ended, within a transaction."""
    row = db.execute("SELECT position FROM runs WHERE id = ?", (run.id,)).fetchone()
    if row is None:
        return
    told = summarise(run)
    head = [
        dict(told.params),
        told.input,
        told.code,
        told.of,
        told.trigger,
        told.message,
        {state.value: number for state, number in told.counts.items()},
    ]
    steps = [[each.step, each.state.value, *astuple(each)[2:]] for each in briefs(run)]
    db.execute(
        "INSERT OR REPLACE INTO summaries VALUES (?, ?, ?, ?, ?, ?, ?)",
        (row[0], told.state.value, told.started_at, told.ended_at, told.seconds, _text(head), _text(steps)),
    )
    db.execute("DELETE FROM writes WHERE position = ?", (row[0],))
    db.executemany(
        "INSERT OR REPLACE INTO writes VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(each.dataset, row[0], each.step, each.at, each.rows, each.bytes, each.version) for each in writes(run)],
    )


class Summaries:
    """Runs, many at a time."""

    def __init__(self, store: SqliteRunStore) -> None:
        """Use `SqliteRunStore.summaries`."""
        self._store, self._db = store, store.database

    def newest(
        self,
        pipeline: str | None = None,
        namespace: str | None = None,
        limit: int = 25,
        *,
        state: RunState | None = None,
        skip: int = 0,
    ) -> tuple[Summary, ...]:
        """Return the newest runs first.

        Args:
            pipeline: only its runs.
            namespace: only main's, or a branch's.
            limit: at most so many.
            state: only runs that stand so.
            skip: leave out so many of the newest.
        """
        if not self._store.path.exists():
            return ()
        self._catch_up(pipeline, namespace, limit + skip)
        if state in LIVE:
            found = [each for each in self._live(pipeline, namespace) if each.state is state]
            return tuple(found[skip : skip + limit])
        where, values = _where(pipeline, namespace)
        if state is not None:
            where, values = f"{where} AND s.state = :state", {**values, "state": state.value}
        query = f"SELECT {_COLUMNS} {_FROM} WHERE {where} ORDER BY position DESC LIMIT :limit OFFSET :skip"
        rows = self._db.read(query, {**values, "limit": limit, "skip": skip})
        return tuple(_summary(row) if row[3] is not None else summarise(self._store.run(row[0])) for row in rows)

    def of(self, runs: Iterable[RunId]) -> tuple[Summary, ...]:
        """Return these runs; those that are not there are left out."""
        wanted = list(runs)
        query = f"SELECT {_COLUMNS} {_FROM} WHERE runs.id IN ({_marks(wanted)}) ORDER BY position DESC"
        rows = self._db.read(query, tuple(wanted)) if wanted and self._store.path.exists() else []
        return tuple(_summary(row) if row[3] is not None else summarise(self._store.run(row[0])) for row in rows)

    def retries(self, run: RunId) -> tuple[Summary, ...]:
        """Return the runs that retry a run, newest first."""
        if not self._store.path.exists():
            return ()
        query = (
            f"SELECT {_COLUMNS} {_FROM} WHERE json_extract(s.head, '$[3]') = :run "
            "AND position > (SELECT position FROM runs WHERE id = :run) ORDER BY position DESC LIMIT 25"
        )
        ended = tuple(_summary(row) for row in self._db.read(query, {"run": run}))
        return (*(each for each in self._live(None, None) if each.of == run), *ended)

    def pulse(self) -> tuple[int, int]:
        """Return what changes whenever a run begins or ends."""
        if not self._store.path.exists():
            return 0, 0
        query = "SELECT (SELECT ifnull(max(position), 0) FROM runs), (SELECT count(*) FROM summaries)"
        newest, ended = self._db.read(query)[0]
        return newest, ended

    def seq(self, run: RunId) -> int:
        """Return the number of a run's last event."""
        return int(self._db.read("SELECT ifnull(max(seq), 0) FROM events WHERE run = ?", (run,))[0][0])

    def count(self, pipeline: str | None = None, namespace: str | None = None) -> int:
        """Return how many runs there are."""
        if not self._store.path.exists():
            return 0
        where, values = _where(pipeline, namespace)
        return int(self._db.read(f"SELECT count(*) FROM runs WHERE {where}", values)[0][0])

    def steps(self, runs: Sequence[RunId]) -> dict[RunId, tuple[StepBrief, ...]]:
        """Return the steps of runs in numbers."""
        query = f"SELECT runs.id, s.steps {_FROM} WHERE runs.id IN ({_marks(runs)})"
        rows = self._db.read(query, tuple(runs)) if runs else []
        kept = {RunId(run): text for run, text in rows}
        return {
            run: _briefs(kept[run]) if kept[run] is not None else briefs(self._store.run(run))
            for run in runs
            if run in kept
        }

    def writes(self, dataset: str, limit: int = 50, namespace: str | None = None) -> tuple[Write, ...]:
        """Return the newest times first that a dataset was written, also by runs that go on."""
        if not self._store.path.exists():
            return ()
        query = (
            "SELECT w.dataset, runs.id, runs.pipeline, runs.namespace, w.step, w.at, w.rows, w.bytes, w.version "
            "FROM writes w JOIN runs USING (position) WHERE w.dataset = :dataset "
            "AND (:namespace IS NULL OR runs.namespace = :namespace) ORDER BY position DESC, w.step LIMIT :limit"
        )
        kept = [
            Write(*row) for row in self._db.read(query, {"dataset": dataset, "limit": limit, "namespace": namespace})
        ]
        live = [each for run in self._live_runs(None, namespace) for each in writes(run) if each.dataset == dataset]
        return tuple(sorted([*live, *kept], key=lambda each: -each.at)[:limit])

    def tally(self) -> list[tuple[str, str, str, int]]:
        """Return how many runs there are by pipeline, namespace and state; those that have not ended are `running`."""
        if not self._store.path.exists():
            return []
        query = (
            "SELECT runs.pipeline, runs.namespace, ifnull(s.state, 'running'), count(*) FROM runs "
            "LEFT JOIN summaries s USING (position) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        )
        return [(pipeline, namespace, state, number) for pipeline, namespace, state, number in self._db.read(query)]

    def definitions(self, runs: Sequence[RunId]) -> dict[RunId, str]:
        """Return the digest of the definition of each run."""
        query = f"SELECT id, definition FROM runs WHERE id IN ({_marks(runs)})"
        return {RunId(run): digest for run, digest in (self._db.read(query, tuple(runs)) if runs else [])}

    def latest(self, datasets: Iterable[str], namespace: str) -> dict[str, Write]:
        """Return the last time that each dataset was written by a run that has ended."""
        if not self._store.path.exists():
            return {}
        query = (
            "SELECT w.dataset, runs.id, runs.pipeline, runs.namespace, w.step, w.at, w.rows, w.bytes, w.version "
            "FROM writes w JOIN runs USING (position) WHERE w.dataset = ? AND runs.namespace = ? "
            "ORDER BY position DESC LIMIT 1"
        )
        found = (self._db.read(query, (name, namespace)) for name in datasets)
        return {rows[0][0]: Write(*rows[0]) for rows in found if rows}

    def _live(self, pipeline: str | None, namespace: str | None) -> list[Summary]:
        return [summarise(run) for run in self._live_runs(pipeline, namespace)]

    def _live_runs(self, pipeline: str | None, namespace: str | None) -> list[Run]:
        """Return the runs of which nothing is kept, newest first: they go on, or are dead."""
        where, values = _where(pipeline, namespace)
        query = f"SELECT runs.id {_FROM} WHERE {where} AND s.position IS NULL ORDER BY position DESC LIMIT 100"
        return [self._store.run(RunId(row[0])) for row in self._db.read(query, values)]

    def _catch_up(self, pipeline: str | None, namespace: str | None, limit: int) -> None:
        """Keep those of the newest runs that ended before anything was kept."""
        where, values = _where(pipeline, namespace)
        query = (
            f"SELECT id FROM (SELECT runs.id, s.position AS kept {_FROM} WHERE {where} "
            "ORDER BY runs.position DESC LIMIT :limit) WHERE kept IS NULL"
        )
        missing = [self._store.run(RunId(row[0])) for row in self._db.read(query, {**values, "limit": limit})]
        if ended := [run for run in missing if run.state not in LIVE]:

            def keep(db: sqlite3.Connection) -> None:
                for run in ended:
                    note(db, run)

            self._db.write(keep)


def _where(pipeline: str | None, namespace: str | None) -> tuple[str, dict[str, Any]]:
    chosen = {"pipeline": pipeline, "namespace": namespace}
    values = {name: value for name, value in chosen.items() if value is not None}
    return " AND ".join(["1", *(f"runs.{name} = :{name}" for name in values)]), values


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def _text(data: object) -> str:
    return json.dumps(data, separators=(",", ":"))


def _summary(row: Sequence[Any]) -> Summary:
    run, pipeline, namespace, state, started_at, ended_at, seconds, head = row
    params, given, code, of, trigger, message, counts = json.loads(head)
    return Summary(
        RunId(run),
        pipeline,
        namespace,
        RunState(state),
        started_at,
        ended_at,
        seconds,
        tuple(params.items()),
        given,
        code,
        of,
        trigger,
        message,
        {StepState(name): number for name, number in counts.items()},
    )


_STATES = {state.value: state for state in StepState}


def _briefs(text: str) -> tuple[StepBrief, ...]:
    rows: list[tuple[StepId, str, Any]] = json.loads(text)
    return tuple(StepBrief(step, _STATES[state], *rest) for step, state, *rest in rows)
