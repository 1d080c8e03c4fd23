"""Rows as the type that a step's function asks for, and back. Nothing of ours stands in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anabranch.data.duck import literal, quote, schema, sql_type
from anabranch.model.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import duckdb

    from anabranch.model.dataset import DatasetSpec

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
    import polars as pl

    return pl.DataFrame(relation)


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
        # It may belong to another connection: only a file passes from one to the other without a lock.
        file = scratch / f"{port}.relation.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        stored = _storable_relation(frame)
        stored.write_parquet(str(file))
        return f"SELECT * FROM read_parquet({literal(file)})"
    if kind == "polars.LazyFrame":
        frame = frame.collect(engine="streaming")
    elif kind == "pandas.DataFrame":
        import pyarrow as pa

        frame = pa.Table.from_pandas(frame, preserve_index=False)
    elif not hasattr(frame, "__arrow_c_stream__") and not hasattr(frame, "__arrow_c_array__"):
        message = f"what was returned for `{port}` is a {type(frame).__qualname__}, not a table"
        raise StepError(message, code="unknown-frame", hint=f"return one of {_KNOWN}")
    db.register(name, frame)
    return f"SELECT * FROM {quote(name)}"


def _storable_relation(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Cast what Parquet cannot hold exactly: HUGEINT, as sums give, becomes BIGINT, or fails when it does not fit."""
    casts = [
        f"{quote(name)}::BIGINT AS {quote(name)}" if str(kind) in _HUGE else quote(name)
        for name, kind in zip(relation.columns, relation.types, strict=True)
    ]
    return relation.project(", ".join(casts)) if any("::BIGINT" in cast for cast in casts) else relation


_HUGE = {"HUGEINT", "UHUGEINT"}
_INTEGERS = {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"}
_EXACT_IN_DOUBLE = {"int8", "int16", "int32", "uint8", "uint16", "uint32", "float32"}


def lossless(given: str, wanted: str) -> bool:
    """Tell whether a cast keeps every value, or fails where it cannot.

    >>> lossless("int64", "int32"), lossless("float64", "int64"), lossless("decimal(3,2)", "decimal(10,2)")
    (True, False, True)
    """
    if wanted in _INTEGERS:
        return given in _INTEGERS or given in _HUGE
    if wanted == "float64":
        return given in _EXACT_IN_DOUBLE
    if wanted.startswith("decimal(") and given.startswith("decimal("):
        return _scale(given) <= _scale(wanted)
    return wanted == "json" and given in {"string", "JSON"}


def _scale(kind: str) -> int:
    return int(kind.rpartition(",")[2].rstrip(")"))


def storable(db: duckdb.DuckDBPyConnection, query: str, spec: DatasetSpec, port: str) -> str:
    """Return the query with casts to promised types where these lose nothing, and refuse what no format holds.

    Raises:
        StepError: `unstorable-type`.
    """
    relation = db.sql(query)
    chosen: list[str] = []
    for name, kind in schema(relation).items():
        column = spec.column(name)
        wanted = column.type if column else ""
        quoted = quote(name)
        if kind == "INTERVAL":
            message = f"column `{name}` of `{port}` is a duration, which {spec.format} cannot hold exactly"
            raise StepError(message, code="unstorable-type", hint="write it as a whole number of microseconds")
        if kind in _HUGE and not wanted:
            wanted = "int64"
        if wanted and wanted != kind and (lossless(kind, wanted) or kind == '"NULL"'):
            chosen.append(f"CAST({quoted} AS {sql_type(wanted)}) AS {quoted}")
        elif wanted == "timestamp" and str(relation.types[relation.columns.index(name)]) != "TIMESTAMP":
            chosen.append(f"CAST({quoted} AS TIMESTAMP) AS {quoted}")
        else:
            chosen.append(quoted)
    return f"SELECT {', '.join(chosen)} FROM ({query})" if chosen else query
