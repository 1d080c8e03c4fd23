"""What runs the expressions: an engine that holds both tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anabranch.deltas.untyped import Kind, Table


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one engine's SQL differs, as far as it matters here.

    Attributes:
        name: as Ibis calls it.
        hash: the function that gives 64 bits for any number of values; empty where rows are compared value by value.
        hash_skips_nulls: whether it gives (1, null) and (null, 1) one hash.
        folds: whether names that differ only by case are one.
        null_safe_joins: whether a full join may be on IS NOT DISTINCT FROM.
        nested_equal: whether -0.0 equals 0.0, and NaN NaN, also within lists and structs.
        sort: the function that sorts a list; empty where there is none for lists of anything.
        entries: the function that gives a map's entries; empty where there is none.
    """

    name: str
    hash: str = ""
    hash_skips_nulls: bool = False
    folds: bool = False
    null_safe_joins: bool = True
    nested_equal: bool = False
    sort: str = ""
    entries: str = ""


class Engine(Protocol):
    """Runs Ibis expressions over tables that it can see."""

    @property
    def dialect(self) -> Dialect:
        """How its SQL differs."""
        ...

    def schema(self, table: str) -> Mapping[str, tuple[str, Kind | None]]:
        """Return the columns of a table: the engine's name of each type, and Ibis's; None where Ibis has none."""
        ...

    def rows(self, expression: Table) -> list[dict[str, Any]]:
        """Return all rows of an expression."""
        ...

    def keep(self, name: str, expression: Table) -> None:
        """Keep the rows of an expression as a temporary table of that name."""
        ...

    def forget(self, name: str) -> None:
        """Drop a temporary table, if it is there."""
        ...
