"""The inputs of one attempt: all rows or the new ones, as frames, as files, and what is told of them."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from anabranch.data import contract, disk, frames, journal, sample, stored, watermark
from anabranch.data.duck import schema
from anabranch.data.formats import files
from anabranch.data.objects import mirror
from anabranch.data.objects.direct import lying
from anabranch.data.storable import as_parquet
from anabranch.model.call import PythonCall, SparkCall, SqlCall
from anabranch.model.dataset import Format, Ingestion
from anabranch.model.errors import AnabranchError, ContractError, StepError
from anabranch.model.pipeline import DatasetInput, Rows
from anabranch.model.run import PortStats
from anabranch.ports import Source

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

    from anabranch.data.objects.direct import Direct
    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.task import Task

T = TypeVar("T")
_TRIES = 50
_PATIENCE = 5.0
"""Seconds that a branch waits for main to finish a publication."""


class Inputs:
    """What one attempt reads."""

    def __init__(
        self,
        storage: Path,
        task: Task,
        folder: Path,
        db: Callable[[], duckdb.DuckDBPyConnection],
        direct: Direct | None = None,
    ) -> None:
        """Prepare; `open` looks for the datasets.

        Args:
            storage: where they lie.
            task: the attempt.
            folder: the attempt's own, for files of new rows.
            db: gives the attempt's database.
            direct: how Spark reads them, where it sees no file of this machine.
        """
        self._storage, self._task, self._folder, self._db, self._direct = storage, task, folder, db, direct
        self._submits = direct is not None and isinstance(task.step.call, SparkCall)
        self._rows: dict[str, duckdb.DuckDBPyRelation] = {}
        self._slices: dict[str, str] = {}
        self._marks: dict[str, watermark.Watermark | None] = {}
        self._counts: dict[str, int | None] = {}
        self._seen: dict[str, object] = {}
        self._unwritten: set[str] = set()
        self._listed: dict[str, object] = {}
        self._there: set[str] = set()

    def open(self) -> None:
        """Make sure that inputs are there; cut incremental ones for processes.

        Raises:
            StepError: `missing-input`, `path-escape`.
            ContractError: an input of a process has not the promised columns.
        """
        written = {port.dataset for port in self._task.step.outputs}
        mirror.refresh_marks(self._storage, self._task.pipeline)
        for port in self._task.step.reads:
            spec = self._task.dataset(port.dataset)
            if self._direct is not None:
                self._listed[port.name] = self._listing(spec)
            fetch(self._storage, spec)
            if stored.exists(self._storage, spec):
                continue
            self._settle(spec)
            if stored.exists(self._storage, spec):
                continue  # another pipeline was just replacing it
            if port.dataset in written:  # its own earlier state, before the first run: no rows
                self._unwritten.add(port.name)
                continue
            root, path = stored.home(self._storage, spec), stored.place(self._storage, spec)
            message = f"dataset `{spec.name}` is not at {mirror.url_at(root, path) if mirror.url_of(root) else path}"
            hint = "put the file there, or run the step that writes it first"
            raise StepError(message, code="missing-input", hint=hint, place=spec.place)
        self._seen = {port.name: self._signature(port) for port in self._task.step.reads}

    def look(self) -> None:
        """Prepare the inputs of a process; that of a function are looked at when they are handed over."""
        if not isinstance(self._task.step.call, PythonCall | SqlCall):
            for port in self._task.step.reads:
                self._look(port)

    def sources(self) -> dict[str, Source]:
        """Inputs by port. An incremental input of a process is a file with the new rows; of a table format, Parquet."""
        found: dict[str, Source] = {}
        for port in self._task.step.reads:
            spec = self._task.dataset(port.dataset)
            location = self._slices.get(port.name) or self._location(port, there=self._submits)
            found[port.name] = Source(port, spec, location)
        return found

    def _location(self, port: DatasetInput, *, there: bool) -> str:
        """Return where a dataset lies, as a process of this machine finds it, or as Spark does."""
        spec = self._task.dataset(port.dataset)
        place = stored.place(self._storage, spec)
        if not there:
            return str(place)
        self._there.add(port.name)
        return mirror.url_at(stored.home(self._storage, spec), place)

    def _listing(self, spec: DatasetSpec) -> object:
        """Return what changes whenever the data in the store does."""
        root = Path(spec.bound.root) if spec.bound else self._storage
        return [lying(each, spec.location) for each in dict.fromkeys((self._storage, root))]

    def forget(self) -> None:
        """Let go of rows, so that their database can be closed."""
        self._rows.clear()

    def incremental(self) -> list[DatasetInput]:
        """Return the ports that are handed only new rows."""
        return [
            port
            for port in self._task.step.reads
            if port.rows is Rows.AUTO and self._task.dataset(port.dataset).ingestion is Ingestion.INCREMENTAL
        ]

    def _is_cut(self, port: DatasetInput) -> bool:
        """Tell whether the port hands over something else than the dataset as it lies there."""
        spec = self._task.dataset(port.dataset)
        return port in self.incremental() or port.name in self._unwritten or self._sampled(spec) or self._past(spec)

    def _sampled(self, spec: DatasetSpec) -> bool:
        return spec.bound is not None and spec.bound.sample is not None and self._is_main(spec)

    def _past(self, spec: DatasetSpec) -> bool:
        """Tell whether a branch reads an older snapshot of a table than a process would find at its location."""
        if spec.bound is None or spec.format not in stored.TABLES or not self._is_main(spec):
            return False
        return stored.version(Path(spec.bound.root), replace(spec, bound=None)) != spec.bound.version

    def _is_main(self, spec: DatasetSpec) -> bool:
        """Tell whether a branch reads the dataset of main."""
        return stored.home(self._storage, spec) != self._storage

    def _settle(self, spec: DatasetSpec) -> None:
        """Finish what is committed and unfinished in our storage; wait for others to do so in theirs.

        Raises:
            StepError: `main-unfinished`, what a branch reads is in the middle of a publication that nobody finishes.
        """
        if not self._is_main(spec):
            journal.settle(self._storage)
            return
        root = stored.home(self._storage, spec)
        deadline = time.monotonic() + _PATIENCE
        while journal.unfinished(root):
            if time.monotonic() > deadline:
                message = f"main's storage {root} has a publication that was cut off"
                hint = "run main's pipeline, which finishes it first; a branch changes nothing there"
                raise StepError(message, code="main-unfinished", hint=hint)
            time.sleep(0.05)

    def _slice(self, port: DatasetInput) -> None:
        spec = self._task.dataset(port.dataset)
        path = self._folder / "in" / f"{disk.escape(port.name)}{stored.suffix(spec)}"
        self._cut_file(port, spec, path)
        self._slices[port.name] = self._direct.send(path) if self._direct and self._submits else str(path)

    def _cut_file(self, port: DatasetInput, shape: DatasetSpec, path: Path) -> None:
        spec = self._task.dataset(port.dataset)

        def write() -> None:
            disk.remove(path)
            with disk.told(path), stored.reading(self._db(), spec, stored.place(self._storage, spec)):
                self.relation(port).create_view("new_rows", replace=True)
                files.write(self._db(), "SELECT * FROM new_rows", shape, path)

        self._steady(port, write)

    def relation(self, port: DatasetInput) -> duckdb.DuckDBPyRelation:
        """Return the rows that the port hands over, and note the watermark that they reach."""
        if port.name not in self._rows:
            spec = self._task.dataset(port.dataset)
            if port.name in self._unwritten:
                self._rows[port.name] = files.no_rows(self._db(), spec)
                return self._rows[port.name]
            relation = stored.scan(self._db(), self._storage, spec)
            with stored.reading(self._db(), spec, stored.place(self._storage, spec)):
                broken = contract.columns(spec, schema(relation))
                if broken:
                    lines = "; ".join(each.text for each in broken)
                    message = f"dataset `{spec.name}` at {spec.location} is not as promised: {lines}"
                    raise ContractError(message, code=broken[0].code, hint=broken[0].hint, place=spec.place)
                if self._sampled(spec):
                    relation = sample.cut(self._db(), self._storage, relation, spec)
                if port in self.incremental():
                    mark = watermark.read(self._mark_file(port))
                    relation = watermark.cut(relation, spec, mark)
                    newest = self._marks[port.name] = watermark.newest(relation, spec)
                    # Rows that arrive from here on are past this mark: they are the next run's.
                    relation = relation.filter("false" if newest is None else newest.reached())
            self._rows[port.name] = relation
        return self._rows[port.name]

    def _mark_file(self, port: DatasetInput) -> Path:
        return watermark.file_of(self._storage, self._task.pipeline, self._task.step.id, port.name)

    def _port(self, name: str) -> DatasetInput:
        return next(port for port in self._task.step.reads if port.name == name)

    def load(self, port: str, annotation: object) -> Any:
        """Return the rows of an input as the annotated type."""
        kind = frames.name_of(annotation)
        wanted = self._port(port)
        if kind in {"pathlib.Path", "builtins.str", "Path", "str"}:
            if self._is_cut(wanted) and port not in self._slices:
                self._slice(wanted)
            location = self.sources()[port].location
            return location if kind.endswith("str") else Path(location)
        if kind.startswith("pyspark."):
            return self._spark(wanted)
        spec = self._task.dataset(wanted.dataset)

        def read() -> Any:
            with stored.reading(self._db(), spec, stored.place(self._storage, spec)):
                return frames.load(self.relation(wanted), annotation, port)

        frame = self._steady(wanted, read)
        if kind in {"polars.DataFrame", "pandas.DataFrame", "pyarrow.Table"}:
            self._counts[port] = len(frame)
        return frame

    def _spark(self, port: DatasetInput) -> Any:
        from anabranch.data import sparkframes

        spec = self._task.dataset(port.dataset)
        if not self._is_cut(port) and spec.format is Format.PARQUET:
            location = self._location(port, there=self._direct is not None)
        else:
            path = self._folder / "in" / f"{disk.escape(port.name)}.spark.parquet"
            self._cut_file(port, as_parquet(spec), path)
            location = self._direct.send(path) if self._direct else str(path)
        return sparkframes.load(location)

    def _look(self, port: DatasetInput) -> None:
        """Prepare an input of a process: its columns are as promised, or nothing is and it reads what it likes."""
        spec = self._task.dataset(port.dataset)
        if self._is_cut(port):
            self._slice(port)
            return
        try:
            self.relation(port)
        except StepError:
            if spec.columns or spec.primary_key:
                raise
            self._counts[port.name] = None

    def _signature(self, port: DatasetInput) -> object:
        spec = self._task.dataset(port.dataset)
        if port.name in self._unwritten:
            return None
        for _ in range(_TRIES):
            with suppress(FileNotFoundError):
                return stored.signature(self._storage, spec)
            self._settle(spec)  # waits for whoever replaces the folder
        raise _restless(spec)

    def _steady(self, port: DatasetInput, act: Callable[[], T]) -> T:
        """Return what `act` reads of one state of the data, again when another pipeline replaced it meanwhile.

        Raises:
            StepError: `input-changing`, it is replaced faster than it is read.
        """
        for _ in range(_TRIES):
            before = self._signature(port)
            try:
                result = act()
            except (OSError, AnabranchError):
                if self._signature(port) == before:
                    raise
            else:
                if self._signature(port) == before:
                    self._seen[port.name] = before
                    return result
            self._rows.pop(port.name, None)
        raise _restless(self._task.dataset(port.dataset))

    def marks(self) -> tuple[tuple[str, dict[str, str]], ...]:
        """Return the watermarks that the rows handed over reach: where each is kept, and what it says."""
        return tuple(
            (
                journal.relative(self._storage, self._mark_file(port)),
                {"field": mark.field, "type": mark.type, "value": mark.value},
            )
            for port in self.incremental()
            if (mark := self._marks.get(port.name)) is not None
        )

    def stats(self, port: DatasetInput) -> PortStats:
        """Say what was read; without a version where the data changed meanwhile, without rows where nobody can tell."""
        spec = self._task.dataset(port.dataset)
        if port.name not in self._counts:
            relation = self.relation(port)
            with stored.reading(self._db(), spec, stored.place(self._storage, spec)):
                self._counts[port.name] = relation.aggregate("count(*)").fetchall()[0][0]
        if port.name in self._unwritten:
            return PortStats(port.name, spec.name, 0)
        moved = port.name in self._there and self._listing(spec) != self._listed[port.name]
        if moved or self._seen[port.name] != self._signature(port):
            pinned(self._storage, spec, "")
            return PortStats(port.name, spec.name, self._counts[port.name])
        size, version = stored.told(self._storage, spec)
        pinned(self._storage, spec, version)
        return PortStats(port.name, spec.name, self._counts[port.name], size, version)


def fetch(storage: Path, spec: DatasetSpec) -> None:
    """Bring a dataset up to date where storages are mirrors: the branch's own, or else main's that it is bound to."""
    mirror.refresh(storage, spec)
    root = stored.home(storage, spec)
    if root != storage:
        mirror.refresh(root, spec)
    rule = spec.bound.sample if spec.bound else None
    if rule is not None and rule.parent is not None:
        fetch(storage, rule.parent)


def pinned(storage: Path, spec: DatasetSpec, version: str) -> None:
    """Make sure that what a branch has read is what it is pinned to.

    Raises:
        StepError: `input-moved`.
    """
    if spec.bound and spec.bound.version and stored.home(storage, spec) != storage and version != spec.bound.version:
        message = f"dataset `{spec.name}` of main has changed since this branch first read it"
        raise StepError(message, code="input-moved", hint="run the branch with --rebase, to read what is there now")


def _restless(spec: DatasetSpec) -> StepError:
    message = f"dataset `{spec.name}` is replaced faster than it can be read"
    return StepError(message, code="input-changing", hint="see what else writes it, then retry the run")
