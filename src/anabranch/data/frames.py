"""Rows as the type that a step's function asks for, and back. Nothing of ours stands in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anabranch.data.duck import literal, quote
from anabranch.data.storable import column
from anabranch.model.dataset import Format
from anabranch.model.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import duckdb


_ALIASES = {"pl": "polars", "pd": "pandas", "pa": "pyarrow", "DuckDBPyRelation": "duckdb.DuckDBPyRelation"}


def name_of(annotation: Any) -> str:
    """Return the name of a frame type: its package and its class.

    >>> name_of("pl.DataFrame"), name_of(str)
    ('polars.DataFrame', 'builtins.str')
    """
    if isinstance(annotation, str):
        head, _, tail = annotation.rpartition(".")
        return f"{_ALIASES.get(head, head.partition('.')[0])}.{tail}" if head else _ALIASES.get(tail, tail)
    package = getattr(annotation, "__module__", "").partition(".")[0].removeprefix("_")
    return f"{package}.{getattr(annotation, '__qualname__', annotation)}"


def _polars(relation: duckdb.DuckDBPyRelation) -> Any:
    import duckdb
    import polars as pl

    try:
        return pl.DataFrame(relation)
    except pl.exceptions.ComputeError as error:  # what DuckDB says while it reads comes through Arrow's stream
        raise duckdb.Error(str(error).removeprefix("got external error: ")) from None


def _pandas(relation: duckdb.DuckDBPyRelation) -> Any:
    """Whole numbers with nulls become pandas' nullable integers: as floats they would lose digits beyond 2**53."""
    import pandas as pd
    import pyarrow as pa

    table = relation.to_arrow_table()
    nullable = {
        pa.int8(): pd.Int8Dtype(),
        pa.int16(): pd.Int16Dtype(),
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.uint8(): pd.UInt8Dtype(),
        pa.uint16(): pd.UInt16Dtype(),
        pa.uint32(): pd.UInt32Dtype(),
        pa.uint64(): pd.UInt64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
    }
    with_nulls = {column.type for column in table.columns if column.null_count}

    def mapped(kind: Any) -> Any:
        return nullable.get(kind) if kind in with_nulls else None

    return table.to_pandas(types_mapper=mapped)


_LOADERS: dict[str, Callable[[duckdb.DuckDBPyRelation], Any]] = {
    "polars.DataFrame": _polars,
    "polars.LazyFrame": lambda relation: _polars(relation).lazy(),
    "pandas.DataFrame": _pandas,
    "pyarrow.Table": lambda relation: relation.to_arrow_table(),
    "pyarrow.RecordBatchReader": lambda relation: relation.to_arrow_reader(),
    "duckdb.DuckDBPyRelation": lambda relation: relation,
}
_KNOWN = ", ".join([*_LOADERS, "pyspark.sql.DataFrame", "pathlib.Path"])


def load(relation: duckdb.DuckDBPyRelation, annotation: Any, port: str) -> Any:
    """Return a relation as the annotated frame type.

    Raises:
        StepError: `unknown-frame`.
    """
    loader = _LOADERS.get(name_of(annotation))
    if loader is None:
        what = "has no annotation" if annotation is None else f"is annotated {name_of(annotation)}"
        message = f"the parameter `{port}` reads a dataset and {what}"
        raise StepError(message, code="unknown-frame", hint=f"annotate it with one of {_KNOWN}")
    return loader(relation)


def to_query(db: duckdb.DuckDBPyConnection, frame: Any, port: str, scratch: Path) -> str:
    """Make a frame that a step returned visible to the database; return a query for its rows.

    Raises:
        StepError: `unknown-frame`, it is no table.
    """
    name = f"frame_{port}"
    kind = name_of(type(frame))
    if kind == "duckdb.DuckDBPyRelation":
        if getattr(frame, "_con", None) is db:
            frame.create_view(name, replace=True)
            return f"SELECT * FROM {quote(name)}"
        # It belongs to another connection: only a file passes from one to the other without a lock.
        file = scratch / f"{port}.relation.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        # What Parquet would round or lose on this way is cast or refused before it.
        chosen = [column(n, k, "", Format.PARQUET, port) for n, k in zip(frame.columns, frame.types, strict=True)]
        frame.project(", ".join(chosen)).write_parquet(str(file))
        return f"SELECT * FROM read_parquet({literal(file)})"
    if kind == "polars.LazyFrame":
        frame, kind = frame.collect(engine="streaming"), "polars.DataFrame"
    if kind == "polars.DataFrame":
        frame = _narrow(frame, port)
    elif kind == "pandas.DataFrame":
        import pyarrow as pa

        # An index with a name is data, such as the keys of a group-by; one without only counts rows.
        named = [name is not None for name in frame.index.names]
        frame = frame.reset_index() if all(named) else frame
        frame = pa.Table.from_pandas(frame, preserve_index=False)
    elif not hasattr(frame, "__arrow_c_stream__") and not hasattr(frame, "__arrow_c_array__"):
        message = f"what was returned for `{port}` is a {type(frame).__qualname__}, not a table"
        raise StepError(message, code="unknown-frame", hint=f"return one of {_KNOWN}")
    db.register(name, frame)
    return f"SELECT * FROM {quote(name)}"


def _narrow(frame: Any, port: str) -> Any:
    """Return a polars frame without 128-bit integers, which Arrow does not know; they must fit 64 bits.

    Raises:
        StepError: `unstorable-type`, one does not fit.
    """
    import polars as pl

    wide = [name for name, kind in frame.schema.items() if str(kind) in {"Int128", "UInt128"}]
    try:
        return frame.with_columns(pl.col(wide).cast(pl.Int64, strict=True)) if wide else frame
    except pl.exceptions.InvalidOperationError:
        message = f"column `{wide[0]}` of `{port}` has integers beyond 64 bits, which no format holds"
        raise StepError(message, code="unstorable-type", hint="cast it to a decimal, or to a string") from None
