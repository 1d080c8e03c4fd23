"""Publication in an object store: one journal object is the commit point; applying it can be repeated at any moment.

Everything is uploaded beside its place first. The journal says what to copy where; whoever finds one finishes it.
"""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anabranch.data import disk
from anabranch.data.formats import delta
from anabranch.data.objects import mirror
from anabranch.data.stored import TABLES
from anabranch.model import codec
from anabranch.model.dataset import DatasetSpec
from anabranch.model.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Generator

    from anabranch.data.journal import Journal
    from anabranch.data.objects.store import Objects

JOURNALS = f"{disk.OURS}/journal"
LEASE = 300.0
"""Seconds after which a lock counts as left by a dead process. What is done under it can be repeated."""

_PATIENCE = 600.0


def publish(storage: Path, store: Objects, pipeline: str, journal: Journal) -> None:
    """Upload what is staged, commit the journal, apply it."""
    prefix = f"{_staging(pipeline)}/{disk.escape(journal.publication)}"
    moves: list[dict[str, Any]] = []
    for number, move in enumerate(journal.moves):
        staged = storage / move.staged
        parts = {path.relative_to(staged).as_posix() if staged.is_dir() else "": path for path in disk.parts(staged)}
        there = mirror.holds(storage, move.staged)  # Spark wrote it to the store itself
        key = move.staged if there else f"{prefix}/{number}"
        if not there:
            for name, path in parts.items():
                store.put(f"{key}/{name}".rstrip("/"), path)
        moves.append({"staged": key, "names": [*parts], "spec": codec.encode(move.spec), "append": move.append})
    told = {
        "publication": journal.publication,
        "pipeline": pipeline,
        "moves": moves,
        "marks": [list(mark) for mark in journal.marks],
        "gone": [codec.encode(spec) for spec in journal.gone],
    }
    with alone(store):
        _finish(storage, store)
        key = _journal(pipeline, journal.publication)
        store.put(key, json.dumps(told).encode())
        for move in journal.moves:  # what was staged here is what lies there soon: no need to fetch it
            if move.spec.format not in TABLES:
                target = storage / move.spec.location
                disk.remove(target)
                disk.rename(storage / move.staged, target)
        _apply(storage, store, key, told)
        for move in journal.moves:
            if move.spec.format not in TABLES:
                mirror.adopt(storage, store, move.spec.location)


def unfinished(store: Objects) -> bool:
    """Tell whether a publication is committed and not finished; nothing is changed."""
    return bool(_journals(store))


def pending(store: Objects, pipeline: str, publication: str) -> bool:
    """Tell whether a publication is committed and not finished: what it staged must stay."""
    return store.read(_journal(pipeline, publication)) is not None


def settle(storage: Path, store: Objects) -> int:
    """Finish what is committed and unfinished; return how many publications."""
    if not unfinished(store):
        return 0
    with alone(store):
        return _finish(storage, store)


def recover(storage: Path, store: Objects, pipeline: str) -> int:
    """Settle, then drop what the pipeline uploaded and never committed.

    Both under one lock: a process that is dead may have sent its journal, which comes now, and nobody may apply half of
    what is being dropped.
    """
    if not store.list(_staging(pipeline)):
        return settle(storage, store)
    with alone(store):
        count = _finish(storage, store)
        store.delete(store.list(_staging(pipeline)))
    return count


def _staging(pipeline: str) -> str:
    return f"{disk.OURS}/staging/{disk.escape(pipeline)}"


def _journal(pipeline: str, publication: str) -> str:
    return f"{JOURNALS}/{disk.escape(pipeline)}/{disk.escape(publication)}.json"


def _journals(store: Objects) -> list[str]:
    return [key for key in store.list(JOURNALS) if key.endswith(".json") and key != _LOCK]


def _finish(storage: Path, store: Objects) -> int:
    """Apply what is committed; return how many publications.

    A journal without its data came after that had been dropped: it was under way when its process died. Nothing of it
    has been applied, for what is applied keeps its data until its journal is gone.
    """
    count = 0
    for key in _journals(store):
        body = store.read(key)
        told: dict[str, Any] = json.loads(body) if body is not None else {}
        if told and all(_is_staged(store, move) for move in told["moves"]):
            _apply(storage, store, key, told)
            count += 1
        elif told:
            store.delete([key, *_staged(told)])
    return count


def _staged(told: dict[str, Any]) -> list[str]:
    """Return what a publication uploaded."""
    return [f"{move['staged']}/{name}".rstrip("/") for move in told["moves"] for name in move["names"]]


def _is_staged(store: Objects, move: dict[str, Any]) -> bool:
    return set(_staged({"moves": [move]})) <= store.list(move["staged"]).keys()


def _apply(storage: Path, store: Objects, key: str, told: dict[str, Any]) -> None:
    try:
        for move in told["moves"]:
            _move(storage, store, move, told["publication"])
        for each in told["gone"]:
            spec = codec.decode(DatasetSpec, each)
            store.delete(store.list(spec.location))
        for name, mark in told["marks"]:
            if mark is None:
                store.delete([name])
            else:
                store.put(name, json.dumps(mark).encode())
        store.delete([key])
        store.delete(_staged(told))
    except Exception as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        message = f"publication {told['publication']} is committed, but could not be finished: {reason}"
        hint = "mend the cause; whatever runs next in this storage finishes it first"
        raise StepError(message, code="publication-unfinished", hint=hint) from error


def _move(storage: Path, store: Objects, move: dict[str, Any], publication: str) -> None:
    spec = codec.decode(DatasetSpec, move["spec"])
    if spec.format in TABLES:
        _table(storage, store, move, spec, publication)
        return
    targets = {f"{spec.location}/{name}".rstrip("/"): f"{move['staged']}/{name}".rstrip("/") for name in move["names"]}
    for target, source in targets.items():
        store.copy(source, target)
    store.delete(key for key in store.list(spec.location) if key not in targets)


def _table(storage: Path, store: Objects, move: dict[str, Any], spec: DatasetSpec, publication: str) -> None:
    """Commit rows to a Delta table: in the mirror first, then its new files are uploaded, the log's last."""
    mirror.fetch(storage, store, spec.location)  # also drops a commit that was cut off before it was uploaded
    rows = storage / disk.OURS / "staging" / f"{disk.escape(publication)}.{disk.escape(spec.name)}.parquet"
    rows.parent.mkdir(parents=True, exist_ok=True)
    store.fetch(move["staged"], rows)
    table = storage / spec.location
    try:
        delta.publish(rows, table, spec, append=bool(move["append"]), publication=publication)
    finally:
        disk.remove(rows)
    there = store.list(spec.location)
    fresh = [path for path in sorted(table.rglob("*")) if path.is_file()]
    fresh = [path for path in fresh if path.relative_to(storage).as_posix() not in there]
    for path in sorted(fresh, key=lambda path: ("_delta_log" in path.parts, path.name)):
        key = path.relative_to(storage).as_posix()
        if not store.put(key, path, fresh=True):
            message = f"somebody else has written to the table {spec.name} at the same moment"
            raise StepError(message, code="table-conflict", hint="run it again")
    mirror.adopt(storage, store, spec.location)


_LOCK = f"{JOURNALS}/lock.json"


@contextmanager
def alone(store: Objects) -> Generator[None]:
    """Hold the storage's lock: an object that only one can create. One that is past its lease is taken over.

    Raises:
        StepError: `storage-locked`.
    """
    holder = f"{socket.gethostname()}/{os.getpid()}/{time.time_ns()}"
    deadline = time.monotonic() + _PATIENCE
    while not _taken(store, holder):
        if time.monotonic() > deadline:
            message = f"the storage {store.url} is locked by {_holder(store)}"
            raise StepError(message, code="storage-locked", hint="see what publishes there")
        time.sleep(0.2)
    try:
        yield
    finally:
        if _holder(store) == holder:
            store.delete([_LOCK])


def _taken(store: Objects, holder: str) -> bool:
    body = json.dumps({"holder": holder, "until": time.time() + LEASE}).encode()
    if store.put(_LOCK, body, fresh=True):
        return True
    found = store.get(_LOCK)
    if found is None:
        return False
    current, seen = found
    told = json.loads(current)
    if told["until"] > time.time() and not _died_here(str(told["holder"])):
        return False
    return store.put(_LOCK, body, etag=seen)


def _died_here(holder: str) -> bool:
    """Tell whether a lock's holder was a process of this machine that is gone: then nobody need wait for the lease."""
    host, _, rest = holder.partition("/")
    pid = rest.partition("/")[0]
    return host == socket.gethostname() and pid.isdigit() and not Path("/proc", pid).exists() and Path("/proc").exists()


def _holder(store: Objects) -> str:
    body = store.read(_LOCK)
    return str(json.loads(body)["holder"]) if body else ""
