"""Run events in SQLite: durable when `append` returns, readable while a run goes on."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from anabranch.model import codec
from anabranch.model.branch import MAIN
from anabranch.model.errors import ConflictError, NotFoundError, UsageError, closest
from anabranch.model.run import Event, Recorded, Run, RunEnded, RunId, RunState, fold
from anabranch.store.database import Database
from anabranch.store.locks import FileLock
from anabranch.store.summaries import Summaries, note

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from anabranch.model.pipeline import Pipeline

SILENT_AFTER = 60.0
"""Seconds without a beat after which a run on another host counts as dead. On this host its lock tells, at once."""


class SqliteRunStore:
    """The `RunStore` below a project's `.anabranch` folder."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        """Name the folder; it is made, and the database opened, on first use."""
        self.folder = folder
        self._db = Database(folder)
        self._clock = clock
        self._next: dict[RunId, int] = {}
        self._alive: dict[RunId, FileLock] = {}
        self._ended: dict[RunId, Run] = {}

    @property
    def database(self) -> Database:
        """The file that holds the runs, and what else the project remembers."""
        return self._db

    @property
    def summaries(self) -> Summaries:
        """The same runs for those who look at many of them."""
        return Summaries(self)

    @property
    def path(self) -> Path:
        """The database file."""
        return self._db.path

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def begin(self, run: RunId, pipeline: Pipeline, first: Event) -> Recorded:
        """Record a new run with its definition and its first event; from now on this process drives it."""
        lock = FileLock(self.alive_file(run))
        lock.try_acquire(run)
        self._alive[run] = lock

        def insert(db: sqlite3.Connection) -> Recorded:
            self._define(db, run, pipeline, first)
            self._next[run] = 1
            return self._insert(db, run, [first])[0]

        return self._db.write(insert)

    def copy(self, pipeline: Pipeline, told: Sequence[Recorded]) -> None:
        """Record a run that has ended elsewhere as it is told there now, in place of what was known of it."""
        run = told[0].run
        rows = [
            (run, seq, each.at, json.dumps(codec.encode(each.event), separators=(",", ":")))
            for seq, each in enumerate(told, 1)
        ]

        def insert(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM events WHERE run = ?", (run,))
            self._define(db, run, pipeline, told[0].event)
            db.executemany("INSERT INTO events (run, seq, at, body) VALUES (?, ?, ?, ?)", rows)
            if (ended := fold(told)) is not None:
                note(db, ended)

        self._ended.pop(run, None)
        self._next.pop(run, None)
        self._db.write(insert)

    def _define(self, db: sqlite3.Connection, run: RunId, pipeline: Pipeline, first: Event) -> None:
        """Write down what a run is of, within a transaction."""
        body = json.dumps(codec.dump(pipeline), separators=(",", ":"))
        digest = hashlib.sha256(body.encode()).hexdigest()
        db.execute("INSERT OR IGNORE INTO definitions (digest, body) VALUES (?, ?)", (digest, body))
        db.execute(
            "INSERT INTO runs (id, pipeline, namespace, definition, host, beat_at) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET definition = excluded.definition",
            (run, pipeline.name, getattr(first, "namespace", "main"), digest, socket.gethostname(), self._clock()),
        )

    def append(self, run: RunId, events: Sequence[Event]) -> tuple[Recorded, ...]:
        """Record events of a run, all or none, durably."""
        if run not in self._next:
            rows = self._db.read("SELECT max(seq) FROM events WHERE run = ?", (run,))
            self._next[run] = (rows[0][0] or 0) + 1
        self._ended.pop(run, None)
        if not any(isinstance(event, RunEnded) for event in events):
            return self._db.write(lambda db: self._insert(db, run, events))
        recorded = self._end(run, events)
        if run in self._alive:
            self._alive.pop(run).release()
        return recorded

    def _end(self, run: RunId, events: Sequence[Event]) -> tuple[Recorded, ...]:
        """Record the last events of a run, and in the same transaction what pages of many runs show of it."""
        before = list(self.events(run))

        def insert(db: sqlite3.Connection) -> tuple[Recorded, ...]:
            recorded = self._insert(db, run, events)
            if (told := fold((*before, *recorded))) is not None:
                note(db, told)
                self._ended = {run: told}
            return recorded

        try:
            return self._db.write(insert)
        except BaseException:
            self._ended = {}
            raise

    def _insert(self, db: sqlite3.Connection, run: RunId, events: Sequence[Event]) -> tuple[Recorded, ...]:
        now, first = self._clock(), self._next[run]
        recorded = tuple(Recorded(run, first + i, now, event) for i, event in enumerate(events))
        rows = [(run, each.seq, now, json.dumps(codec.encode(each.event), separators=(",", ":"))) for each in recorded]
        db.executemany("INSERT INTO events (run, seq, at, body) VALUES (?, ?, ?, ?)", rows)
        self._next[run] = first + len(recorded)
        return recorded

    def events(self, run: RunId, after: int = 0) -> Iterator[Recorded]:
        """Return the events of a run past `after`, in order."""
        rows = self._db.read("SELECT seq, at, body FROM events WHERE run = ? AND seq > ? ORDER BY seq", (run, after))
        bodies = json.loads(f"[{','.join(body for *_, body in rows)}]")  # one text takes half the time of many
        for (seq, at, _), body in zip(rows, bodies, strict=True):
            yield Recorded(run, seq, at, codec.decode(Event, body))  # type: ignore[arg-type]

    def run(self, run: RunId) -> Run:
        """Return the run as its events tell it; `dead` when it says running and nobody drives it.

        Raises:
            NotFoundError: no such run.
        """
        if run in self._ended:
            return self._ended[run]
        told = fold(self.events(run))
        if told is None:
            message = f"no run `{run}`"
            raise NotFoundError(message, code="no-run", hint="anabranch runs list")
        if told.state is RunState.RUNNING and not self.driven(run):
            # It may have ended between the two looks.
            again = fold(self.events(run)) or told
            return replace(again, state=RunState.DEAD) if again.state is RunState.RUNNING else again
        if told.state is not RunState.RUNNING:
            self._ended = {run: told}  # nothing more happens to it; the newest is asked for again and again
        return told

    def driven(self, run: RunId) -> bool:
        """Tell whether some process drives the run."""
        host, beat_at = self._db.read("SELECT host, beat_at FROM runs WHERE id = ?", (run,))[0]
        if host == socket.gethostname():
            return FileLock(self.alive_file(run)).held()
        return bool(abs(self._clock() - beat_at) < SILENT_AFTER)

    def runs(self, pipeline: str | None = None, limit: int = 25, namespace: str | None = None) -> tuple[Run, ...]:
        """Return the newest runs first; of one namespace, or of all."""
        return tuple(self.newest(pipeline, namespace, limit))

    def newest(self, pipeline: str | None, namespace: str | None, limit: int) -> Iterator[Run]:
        """Yield the newest runs first, each read when it is asked for."""
        if not self.path.exists():
            return
        wanted = {"pipeline": pipeline, "namespace": namespace}
        chosen = [name for name, value in wanted.items() if value is not None]
        where = f"WHERE {' AND '.join(f'{name} = :{name}' for name in chosen)}" if chosen else ""
        query = f"SELECT id FROM runs {where} ORDER BY position DESC LIMIT :limit"
        for row in self._db.read(query, {**{name: wanted[name] for name in chosen}, "limit": limit}):
            yield self.run(RunId(row[0]))

    def forget(self, namespace: str) -> None:
        """Delete the runs of a branch, with their logs. Main's are kept.

        Raises:
            ValueError: the namespace is main.
        """
        if namespace == MAIN:
            raise ValueError(namespace)
        ids = [row[0] for row in self._db.read("SELECT id FROM runs WHERE namespace = ?", (namespace,))]
        for run in ids:
            shutil.rmtree(self.folder / "runs" / run, ignore_errors=True)

        def delete(db: sqlite3.Connection) -> None:
            for table in ("summaries", "writes"):
                which = f"DELETE FROM {table} WHERE position IN (SELECT position FROM runs WHERE id = ?)"
                db.executemany(which, [(run,) for run in ids])
            db.executemany("DELETE FROM events WHERE run = ?", [(run,) for run in ids])
            db.executemany("DELETE FROM runs WHERE id = ?", [(run,) for run in ids])

        self._db.write(delete)

    def resolve(self, text: str) -> RunId:
        """Return the run that a unique prefix, or `last`, means.

        Raises:
            NotFoundError: none does.
            UsageError: several do.
        """
        if not self.path.exists():
            message = f"no run `{text}`: nothing has been run here yet"
            raise NotFoundError(message, code="no-run", hint="anabranch run")
        if text == "last":
            rows = self._db.read("SELECT id FROM runs ORDER BY position DESC LIMIT 1")
        else:
            safe = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            rows = self._db.read(
                "SELECT id FROM runs WHERE id LIKE ? ESCAPE '\\' ORDER BY position DESC", (safe + "%",)
            )
        if not rows:
            known = [row[0] for row in self._db.read("SELECT id FROM runs ORDER BY position DESC LIMIT 25")]
            message = f"no run `{text}`"
            raise NotFoundError(message, code="no-run", hint=closest(text, known))
        if len(rows) > 1 and all(row[0] != text for row in rows):
            message = f"`{text}` means {len(rows)} runs"
            raise UsageError(message, code="ambiguous-run", hint="one of " + ", ".join(row[0] for row in rows[:5]))
        return RunId(next((row[0] for row in rows if row[0] == text), rows[0][0]))

    def definition(self, run: RunId) -> Pipeline:
        """Return the pipeline as the run started with it."""
        query = "SELECT body FROM definitions JOIN runs ON runs.definition = definitions.digest WHERE runs.id = ?"
        return codec.load(json.loads(self._db.read(query, (run,))[0][0]))

    def beat(self, run: RunId) -> bool:
        """Note that the run is alive; return whether somebody asked to cancel it."""

        def note(db: sqlite3.Connection) -> bool:
            db.execute("UPDATE runs SET beat_at = ? WHERE id = ?", (self._clock(), run))
            return bool(db.execute("SELECT cancel FROM runs WHERE id = ?", (run,)).fetchone()[0])

        return self._db.write(note)

    def cancel(self, run: RunId) -> None:
        """Ask the process that drives the run to cancel it; close the run if nobody does."""
        told = self.run(run)
        if told.state is RunState.DEAD:
            self.append(run, [RunEnded(RunState.CANCELLED, message="it was dead")])
            return
        if told.state is not RunState.RUNNING:
            message = f"run {run} has {told.state} already"
            raise ConflictError(message, code="run-ended", hint=f"anabranch runs show {run}")
        self._db.write(lambda db: db.execute("UPDATE runs SET cancel = 1 WHERE id = ?", (run,)))

    def alive_file(self, run: RunId) -> Path:
        """The file whose lock the driving process holds."""
        return self.folder / "runs" / run / "alive"
