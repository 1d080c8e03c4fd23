"""Datasets on this machine's disk: what one attempt reads, stages, checks and publishes."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anabranch.data import contract, disk, frames, journal, stored, watermark
from anabranch.data.duck import connect, quote, schema
from anabranch.data.formats import delta, files, iceberg
from anabranch.data.formats.exact import MARK
from anabranch.data.storable import storable
from anabranch.model.call import PythonCall, SqlCall
from anabranch.model.dataset import DatasetSpec, Format, Ingestion
from anabranch.model.errors import ContractError, StepError
from anabranch.model.pipeline import DatasetInput, Rows
from anabranch.model.run import PortStats
from anabranch.ports import Source, Target

if TYPE_CHECKING:
    import duckdb

    from anabranch.model.task import Task
    from anabranch.ports import Staging

_TABLES = {Format.DELTA, Format.ICEBERG}


class LocalData:
    """The `Data` below one storage folder."""

    def __init__(self, storage: Path) -> None:
        """Name the folder; it is made on first use."""
        self._storage = storage

    def begin(self, task: Task) -> Staging:
        """Open the data of an attempt.

        Raises:
            StepError: `missing-input`, with the location that was looked at; `path-escape`.
        """
        staging = LocalStaging(Path(task.storage), task)
        try:
            staging.open()
        except BaseException:
            staging.close()
            raise
        return staging

    def recover(self, pipeline: str) -> None:
        """Finish a pipeline's publications that a crash cut off; drop what was staged and never committed."""
        if (self._storage / disk.OURS).exists():
            with disk.told(self._storage):
                journal.recover(self._storage, pipeline)


class LocalStaging:
    """The `Staging` of one attempt."""

    def __init__(self, storage: Path, task: Task) -> None:
        """Prepare; `open` looks at the inputs."""
        self._storage, self._task = storage, task
        name = f"{disk.escape(task.step.id)}.{task.attempt}"
        self._publication = f"{task.run}.{task.step.id}.{task.attempt}"
        self._folder = storage / disk.OURS / "staging" / disk.escape(task.pipeline) / task.run / name
        self._rows: dict[str, duckdb.DuckDBPyRelation] = {}
        self._slices: dict[str, str] = {}
        self._marks: dict[str, watermark.Watermark | None] = {}
        self._views = False
        self._unwritten: set[str] = set()
        self.targets = {
            port.name: Target(port, spec, str(self._staged(port.name, spec)))
            for port in task.step.outputs
            for spec in [task.dataset(port.dataset)]
        }

    @cached_property
    def _db(self) -> duckdb.DuckDBPyConnection:
        return connect(self._folder / "spill")

    def _staged(self, port: str, spec: DatasetSpec) -> Path:
        return self._folder / "out" / f"{disk.escape(port)}{spec.format.suffix or '.parquet'}"

    def open(self) -> None:
        """Make sure that inputs are there and outputs may be written; cut incremental inputs for processes.

        What a crash left committed and unfinished is finished first: nobody reads half of a publication.
        """
        with disk.told(self._storage):
            journal.settle(self._storage)
        written = {port.dataset for port in self._task.step.outputs}
        for port in self._task.step.reads:
            spec = self._task.dataset(port.dataset)
            if stored.exists(self._storage, spec):
                continue
            if port.dataset in written:  # its own earlier state, before the first run: no rows
                self._unwritten.add(port.name)
                continue
            location = self._storage / spec.location
            message = f"dataset `{spec.name}` is not at {location}"
            hint = "put the file there, or run the step that writes it first"
            raise StepError(message, code="missing-input", hint=hint, place=spec.place)
        for target in self.targets.values():
            stored.locate(self._storage, target.dataset)
        with disk.told(self._storage):
            disk.make_folder(self._folder / "out")
        if not isinstance(self._task.step.call, PythonCall | SqlCall):
            for port in self._task.step.reads:
                if self._is_cut(port):
                    self._slice(port)

    @property
    def sources(self) -> dict[str, Source]:
        """Inputs by port. An incremental input of a process is a file with the new rows; of a table format, Parquet."""
        found: dict[str, Source] = {}
        for port in self._task.step.reads:
            spec = self._task.dataset(port.dataset)
            location = self._slices.get(port.name) or str(stored.locate(self._storage, spec))
            found[port.name] = Source(port, spec, location)
        return found

    def _incremental(self) -> list[DatasetInput]:
        return [
            port
            for port in self._task.step.reads
            if port.rows is Rows.AUTO and self._task.dataset(port.dataset).ingestion is Ingestion.INCREMENTAL
        ]

    def _is_cut(self, port: DatasetInput) -> bool:
        """Tell whether the port hands over something else than the dataset as it lies there."""
        return port in self._incremental() or port.name in self._unwritten

    def _slice(self, port: DatasetInput) -> None:
        spec = self._task.dataset(port.dataset)
        path = self._folder / "in" / f"{disk.escape(port.name)}{spec.format.suffix or '.parquet'}"
        with disk.told(path), stored.reading(self._db, spec, self._storage / spec.location):
            relation = self._relation(port)
            relation.create_view("new_rows", replace=True)
            files.write(self._db, "SELECT * FROM new_rows", spec, path)
        self._slices[port.name] = str(path)

    def _relation(self, port: DatasetInput) -> duckdb.DuckDBPyRelation:
        """Return the rows that the port hands over, and note the watermark that they reach."""
        if port.name not in self._rows:
            spec = self._task.dataset(port.dataset)
            if port.name in self._unwritten:
                self._rows[port.name] = files.no_rows(self._db, spec)
                return self._rows[port.name]
            relation = stored.scan(self._db, self._storage, spec)
            with stored.reading(self._db, spec, self._storage / spec.location):
                broken = contract.columns(spec, schema(relation))
                if broken:
                    lines = "; ".join(each.text for each in broken)
                    message = f"dataset `{spec.name}` at {spec.location} is not as promised: {lines}"
                    raise ContractError(message, code=broken[0].code, hint=broken[0].hint, place=spec.place)
                if port in self._incremental():
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
            location = self.sources[port].location
            return location if kind.endswith("str") else Path(location)
        if kind.startswith("pyspark."):
            return self._spark(wanted)
        spec = self._task.dataset(wanted.dataset)
        with stored.reading(self._db, spec, self._storage / spec.location):
            return frames.load(self._relation(wanted), annotation, port)

    def _spark(self, port: DatasetInput) -> Any:
        from anabranch.data import sparkframes

        spec = self._task.dataset(port.dataset)
        if (self._is_cut(port) or spec.format in _TABLES) and port.name not in self._slices:
            self._slice(port)
        return sparkframes.load(self.sources[port.name].location, spec)

    def save(self, port: str, frame: object) -> None:
        """Write a returned frame to an output's staging location."""
        import duckdb

        target = self.targets[port]
        path = Path(target.location)
        if frames.name_of(type(frame)).startswith("pyspark."):
            from anabranch.data import sparkframes

            sparkframes.save(frame, target.location, target.dataset)
            return
        try:
            with disk.told(path):
                query = frames.to_query(self._db, frame, port, self._folder / "spill")
                query = storable(self._db, query, target.dataset, port)
                files.write(self._db, query, target.dataset, path)
        except duckdb.Error as error:
            for read in self._task.step.reads:  # a query that reads a value which is not as promised fails here
                spec = self._task.dataset(read.dataset)
                if MARK in str(error) and files.bad_values(self._db, spec, self._storage / spec.location):
                    with stored.reading(self._db, spec, self._storage / spec.location):
                        raise
            quoting = any(column.sensitive for spec in self._task.datasets for column in spec.columns)
            raise _not_written(error, target) from (None if quoting else error)

    def connection(self) -> object:
        """Return a DuckDB connection with one view per input port."""
        if not self._views:
            for port in self._task.step.reads:
                self._relation(port).create_view(port.name, replace=True)
            self._views = True
        return self._db

    def commit(self) -> tuple[tuple[PortStats, ...], tuple[PortStats, ...]]:
        """Check every output against its contract, then publish all of them and the watermarks, or nothing."""
        with disk.told(self._storage):
            reads = tuple(self._read_stats(port) for port in self._task.step.reads)
            counts = self._checked()
            # Nothing new leaves an output that grows as it is.
            moves = tuple(
                self._merged(target)
                for name, target in self.targets.items()
                if counts[name] or not self._incremental() or not stored.exists(self._storage, target.dataset)
            )
            marks = tuple(
                (
                    journal.relative(self._storage, self._mark_file(port)),
                    {"field": mark.field, "type": mark.type, "value": mark.value},
                )
                for port in self._incremental()
                if (mark := self._marks.get(port.name)) is not None
            )
            self._close_database()
            task = self._task
            if moves or marks:
                journal.publish(self._storage, task.pipeline, journal.Journal(self._publication, moves, marks))
            writes = tuple(
                PortStats(
                    name,
                    target.dataset.name,
                    counts[name],
                    stored.size(self._storage, target.dataset),
                    stored.version(self._storage, target.dataset),
                )
                for name, target in self.targets.items()
            )
        return reads, writes

    def _read_stats(self, port: DatasetInput) -> PortStats:
        spec = self._task.dataset(port.dataset)
        relation = self._relation(port)
        with stored.reading(self._db, spec, self._storage / spec.location):
            rows = relation.aggregate("count(*)").fetchall()[0][0]
        return PortStats(
            port.name, spec.name, rows, stored.size(self._storage, spec), stored.version(self._storage, spec)
        )

    def _staged_spec(self, spec: DatasetSpec) -> DatasetSpec:
        from dataclasses import replace

        return replace(spec, format=Format.PARQUET, partition_by=()) if spec.format in _TABLES else spec

    def _checked(self) -> dict[str, int]:
        """Return the rows of each staged output.

        Raises:
            ContractError: with every breach of every output.
            StepError: `output-not-written`.
        """
        breaches: list[tuple[DatasetSpec, contract.Breach]] = []
        counts: dict[str, int] = {}
        for name, target in self.targets.items():
            path = Path(target.location)
            if not path.exists():
                message = f"step `{self._task.step.id}` did not write `{name}`: nothing is at its output location"
                hint = f"write to ${{out.{name}}}, or to the file named by ANABRANCH_OUT_{name.upper()}"
                raise StepError(message, code="output-not-written", hint=hint)
            spec = self._staged_spec(target.dataset)
            if path.is_dir() and not disk.parts(path):  # a partitioned dataset without rows has no folders either
                counts[name] = 0
                continue
            counts[name], found = contract.check(
                spec, partial(files.scan, self._db, spec, path), partial(files.bad_values, self._db, spec, path)
            )
            breaches += [(target.dataset, breach) for breach in found]
        contract.raise_for(breaches)
        return counts

    def _merged(self, target: Target) -> journal.Move:
        """Return what is to become the dataset: the staged rows alone, or together with those published before.

        Raises:
            StepError: `unstorable-type`, the table would not take the rows.
        """
        staged, spec = Path(target.location), target.dataset
        table = spec.format in _TABLES
        grows = self._incremental() and stored.exists(self._storage, spec)
        append = bool(grows and table and not spec.primary_key)
        query = self._with_published(target) if grows and not append else ""
        if table:
            # Whatever wrote them, rows reach a table as one file of types that it holds: nothing may fail later.
            given = query or f"SELECT * FROM ({self._staged_rows(target)})"
            fitting = storable(self._db, given, spec, target.port.name)
            query = fitting if query or fitting != given or staged.is_dir() else ""
        if query:
            whole = self._folder / "merged" / staged.with_suffix(staged.suffix if not table else ".parquet").name
            files.write(self._db, query, self._staged_spec(spec), whole)
            staged = whole
        if table:
            self._accepted(staged, target, append=append)
        return journal.Move(journal.relative(self._storage, staged), spec, append)

    def _staged_rows(self, target: Target) -> str:
        rows = files.scan(self._db, self._staged_spec(target.dataset), Path(target.location), guess=False)
        rows.create_view("fresh", replace=True)
        return "SELECT * FROM fresh"

    def _with_published(self, target: Target) -> str:
        spec = target.dataset
        stored.scan(self._db, self._storage, spec, guess=False).create_view("published", replace=True)
        fresh = self._staged_rows(target)
        kept = "SELECT * FROM published"
        if spec.primary_key:
            same = " AND ".join(f"published.{quote(name)} = fresh.{quote(name)}" for name in spec.primary_key)
            kept += f" WHERE NOT EXISTS (SELECT 1 FROM fresh WHERE {same})"
        return f"{kept} UNION ALL BY NAME {fresh}"

    def _accepted(self, staged: Path, target: Target, *, append: bool) -> None:
        spec = target.dataset
        if spec.format is Format.DELTA:
            location = stored.locate(self._storage, spec)
            have = schema(stored.scan(self._db, self._storage, spec)) if append else {}
            given = schema(files.scan(self._db, self._staged_spec(spec), staged))
            why = delta.refusal(location, spec, given, have, append=append)
        else:
            why = iceberg.refusal(staged, self._storage, spec)
        if why:
            message = f"dataset `{spec.name}` cannot take these rows: {why}"
            raise StepError(
                message, code="unstorable-type", hint="cast the column, or write to a dataset of another name"
            )

    def _close_database(self) -> None:
        if "_db" in self.__dict__:
            self._rows.clear()
            self._db.close()
            del self.__dict__["_db"]

    def close(self) -> None:
        """Delete whatever the attempt staged and did not publish."""
        self._close_database()
        if journal.pending(self._storage, self._task.pipeline, self._publication):
            return  # committed, and cut off: what is staged is all there is of it
        disk.remove(self._folder)
        with suppress(OSError):  # other steps of the run have theirs in it
            self._folder.parent.rmdir()


def _not_written(error: Exception, target: Target) -> StepError:
    text = str(error)
    if "No space left" in text:
        message = f"the disk is full, at {target.location}"
        return StepError(message, code="disk-full", hint="free some space, then retry the run: nothing was published")
    if "Read-only file system" in text or "Permission denied" in text:
        message = f"the storage cannot be written, at {target.location}"
        return StepError(message, code="storage-read-only", hint="mount it writable, or set `storage:` elsewhere")
    said = contract.discreet(target.dataset, text.partition("\n")[0])
    message = f"`{target.port.name}` cannot be written as {target.dataset.format}: {said}"
    hint = "a value may not fit the promised type, or the format may not hold such a column"
    return StepError(message, code="unstorable-type", hint=hint)
