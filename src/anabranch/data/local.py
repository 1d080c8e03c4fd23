"""Datasets on this machine's disk: what one attempt reads, stages, checks and publishes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anabranch.data import contract, disk, frames, journal, stored
from anabranch.data.duck import connect, quote, schema
from anabranch.data.formats import delta, files, iceberg
from anabranch.data.formats.exact import MARK
from anabranch.data.inputs import Inputs, fetch, pinned
from anabranch.data.objects.direct import direct
from anabranch.data.storable import as_parquet, storable
from anabranch.model.call import SparkCall
from anabranch.model.dataset import DatasetSpec, Format
from anabranch.model.errors import StepError
from anabranch.model.run import PortStats
from anabranch.ports import Source, Target

if TYPE_CHECKING:
    import duckdb

    from anabranch.model.task import Task
    from anabranch.ports import Staging


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
        self._direct = direct(storage, task)
        own = storage / disk.OURS / "staging" / disk.escape(task.pipeline) / task.run / name
        self._folder = own if self._direct is None else self._direct.folder
        self._inputs = Inputs(storage, task, self._folder, lambda: self._db, self._direct)
        self._views = False
        specs = {port.name: task.dataset(port.dataset) for port in task.step.outputs}
        self._staged = {
            port: self._folder / "out" / f"{disk.escape(port)}{stored.suffix(spec)}" for port, spec in specs.items()
        }
        self._submits = self._direct is not None and isinstance(task.step.call, SparkCall)
        self.targets = {
            port.name: Target(port, specs[port.name], self._told(self._staged[port.name])) for port in task.step.outputs
        }

    @cached_property
    def _db(self) -> duckdb.DuckDBPyConnection:
        return connect(self._folder / "spill")

    def _told(self, path: Path) -> str:
        """Return a path as the step is told it."""
        return self._direct.url(path) if self._direct is not None and self._submits else str(path)

    def open(self) -> None:
        """Make sure that inputs are there and outputs may be written; cut incremental inputs for processes.

        What a crash left committed and unfinished is finished first: nobody reads half of a publication.
        """
        with disk.told(self._storage):
            journal.settle(self._storage)
        self._inputs.open()
        for target in self.targets.values():
            fetch(self._storage, target.dataset)  # it may grow
            stored.locate(self._storage, target.dataset)
        with disk.told(self._storage):
            disk.make_folder(self._folder / "out")
        if self._direct is not None:
            self._direct.open()
        self._inputs.look()

    @property
    def sources(self) -> dict[str, Source]:
        """Inputs by port. An incremental input of a process is a file with the new rows; of a table format, Parquet."""
        return self._inputs.sources()

    def load(self, port: str, annotation: object) -> Any:
        """Return the rows of an input as the annotated type."""
        return self._inputs.load(port, annotation)

    def _save_spark(self, target: Target, frame: Any) -> None:
        """Write a Spark DataFrame: its own part files where they are as promised, else what DuckDB makes of them."""
        from anabranch.data import sparkframes

        spec = target.dataset
        folder = self._folder / "spill" / f"{disk.escape(target.port.name)}.spark"
        parts = spec.partition_by if spec.format is Format.PARQUET else ()
        sparkframes.save(frame, str(folder) if self._direct is None else self._direct.url(folder), parts)
        if self._direct is not None:
            self._direct.bring(folder)
        shape = replace(as_parquet(spec), partition_by=parts)
        files.scan(self._db, shape, folder).create_view("from_spark", replace=True)
        given = "SELECT * FROM from_spark"
        query = storable(self._db, given, spec, target.port.name)
        if query == given and spec.format is Format.PARQUET:
            disk.rename(folder, self._staged[target.port.name])
        else:
            files.write(self._db, query, self._staged_spec(spec), self._staged[target.port.name])

    def save(self, port: str, frame: object) -> None:
        """Write a returned frame to an output's staging location."""
        import duckdb

        target = self.targets[port]
        path = self._staged[port]
        try:
            with disk.told(path):
                if frames.name_of(type(frame)).startswith("pyspark."):
                    self._save_spark(target, frame)
                    return
                query = frames.to_query(self._db, frame, port, self._folder / "spill")
                query = storable(self._db, query, target.dataset, port)
                files.write(self._db, query, target.dataset, path)
        except duckdb.Error as error:
            for read in self._task.step.reads:  # a query that reads a value which is not as promised fails here
                spec = self._task.dataset(read.dataset)
                if MARK in str(error) and files.bad_values(self._db, spec, stored.place(self._storage, spec)):
                    with stored.reading(self._db, spec, stored.place(self._storage, spec)):
                        raise
            quoting = any(column.sensitive for spec in self._task.datasets for column in spec.columns)
            raise _not_written(error, target) from (None if quoting else error)

    def connection(self) -> object:
        """Return a DuckDB connection with one view per input port."""
        if not self._views:
            for port in self._task.step.reads:
                self._inputs.relation(port).create_view(port.name, replace=True)
            self._views = True
        return self._db

    def commit(self) -> tuple[tuple[PortStats, ...], tuple[PortStats, ...]]:
        """Check every output against its contract, then publish all of them and the watermarks, or nothing."""
        with disk.told(self._storage):
            if self._direct is not None and self._submits:
                for path in self._staged.values():
                    self._direct.bring(path)
            reads = tuple(self._inputs.stats(port) for port in self._task.step.reads)
            counts = self._checked()
            # Nothing new leaves an output that grows as it is.
            moves = tuple(
                self._merged(target)
                for name, target in self.targets.items()
                if counts[name] or not self._inputs.incremental() or not stored.exists(self._storage, target.dataset)
            )
            for target in self.targets.values():  # what they grew from is what the branch is pinned to
                if target.dataset.bound is not None:
                    pinned(self._storage, target.dataset, stored.version(self._storage, target.dataset))
            marks = self._inputs.marks()
            self._close_database()
            task = self._task
            if moves or marks:
                journal.publish(self._storage, task.pipeline, journal.Journal(self._publication, moves, marks))
            writes = tuple(
                PortStats(name, target.dataset.name, counts[name], *stored.told(self._storage, target.dataset))
                for name, target in self.targets.items()
            )
        return reads, writes

    def _staged_spec(self, spec: DatasetSpec) -> DatasetSpec:
        return as_parquet(spec) if spec.format in stored.TABLES else spec

    def _checked(self) -> dict[str, int]:
        """Return the rows of each staged output.

        Raises:
            ContractError: with every breach of every output.
            StepError: `output-not-written`; `path-escape`, it is a symbolic link.
        """
        breaches: list[tuple[DatasetSpec, contract.Breach]] = []
        counts: dict[str, int] = {}
        for name, target in self.targets.items():
            path = self._staged[name]
            if not path.exists():
                message = f"step `{self._task.step.id}` did not write `{name}`: nothing is at its output location"
                hint = f"write to ${{out.{name}}}, or to the file named by ANABRANCH_OUT_{name.upper()}"
                raise StepError(message, code="output-not-written", hint=hint)
            if path.is_symlink() or any(part.is_symlink() for part in disk.parts(path)):
                message = f"step `{self._task.step.id}` wrote `{name}` as a symbolic link"
                raise StepError(message, code="path-escape", hint="copy the data to the output's location")
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
        staged, spec = self._staged[target.port.name], target.dataset
        table = spec.format in stored.TABLES
        grows = self._inputs.incremental() and stored.exists(self._storage, spec)
        append = bool(grows and table and not spec.primary_key and stored.lies(self._storage, spec))
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
        staged = self._staged[target.port.name]
        rows = files.scan(self._db, self._staged_spec(target.dataset), staged, guess=False)
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
            self._inputs.forget()
            self._db.close()
            del self.__dict__["_db"]

    def close(self) -> None:
        """Delete whatever the attempt staged and did not publish."""
        self._close_database()
        if journal.pending(self._storage, self._task.pipeline, self._publication):
            return  # committed, and cut off: what is staged is all there is of it
        if self._direct is not None:
            self._direct.close(self._publication)
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
